//! Traffic in the background, which knows at any moment which packet has been begun and which has been sent: what
//! statements about "before" and "after" an answer of the API are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use forwarder_tests::rtp::{Stream, now_ns};
use forwarder_tests::{Pace, Publisher};

/// A publisher that sends a packet at a time until stopped.
pub struct Traffic {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Publisher>>,
}

#[derive(Default)]
struct Progress {
    begun: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
}

impl Traffic {
    /// Sends `stream` from packet 0 on, one packet `every` so often.
    pub fn start(publisher: Publisher, stream: Stream, every: Duration) -> Self {
        let progress = Arc::new(Progress::default());
        let theirs = Arc::clone(&progress);
        let thread = std::thread::spawn(move || {
            let mut due = now_ns();
            while !theirs.stop.load(Ordering::SeqCst) {
                let index = theirs.begun.fetch_add(1, Ordering::SeqCst);
                publisher
                    .send(&stream, index..index + 1, Pace::Full)
                    .unwrap();
                theirs.done.store(index + 1, Ordering::SeqCst);
                due += every.as_nanos() as u64;
                // The pace of a stream, nothing that the test waits by.
                if let Some(left) = due.checked_sub(now_ns()) {
                    std::thread::sleep(Duration::from_nanos(left));
                } else {
                    due = now_ns();
                }
            }
            publisher
        });
        Self {
            progress,
            thread: Some(thread),
        }
    }

    /// The first packet that has not been begun: it and all after it are sent after this moment.
    pub fn next(&self) -> u64 {
        self.progress.begun.load(Ordering::SeqCst)
    }

    /// Packets before this one have left the publisher's socket.
    pub fn sent(&self) -> u64 {
        self.progress.done.load(Ordering::SeqCst)
    }

    /// Stops; gives the publisher back, and how many packets were sent.
    pub fn stop(mut self) -> (Publisher, u64) {
        self.progress.stop.store(true, Ordering::SeqCst);
        let publisher = self.thread.take().unwrap().join().unwrap();
        (publisher, self.sent())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.progress.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
