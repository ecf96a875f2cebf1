//! TCP connections of peers without UDP (RFC 6544, framed by RFC 4571).
//!
//! A connection has a bounded queue. What does not leave at once waits there; when half of it is full, video is dropped, and when all of
//! it is, audio too. A worker never waits for a connection.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{command::Command, state::Origin};
use crate::transport::{FrameDecoder, FrameTooLong, Pair, encode};

/// Bytes that wait for one connection, at most: half a second at 4 Mbit/s.
const QUEUE: usize = 256 << 10;
/// Bytes of them that video may fill.
const VIDEO: usize = QUEUE / 2;
/// Longest frame that is read, in bytes.
const LONGEST: u16 = 1500;

/// What a frame carries: what is dropped first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Dropped first.
    Video,
    /// Dropped when nothing else is left to drop.
    Audio,
    /// STUN, DTLS or SRTCP.
    Control,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Whose datagrams come from it; session 0 until one is bound to it.
    pub origin: Origin,
    decoder: FrameDecoder,
    /// Made with all its room, and never more.
    queue: Box<[u8]>,
    start: usize,
    end: usize,
    broken: bool,
}

/// The connections of one worker.
#[derive(Debug, Default)]
pub struct TcpConnections {
    connections: BTreeMap<u32, Connection>,
    /// Connections that another worker is about to hand over, and what is to be done with them then.
    expected: BTreeMap<u32, Vec<Command>>,
    dirty: bool,
}

impl TcpConnections {
    /// Serves a stream from now on.
    ///
    /// # Errors
    /// It cannot be made non-blocking.
    pub fn add(
        &mut self,
        connection: u32,
        pair: Pair,
        stream: OwnedFd,
    ) -> io::Result<BorrowedFd<'_>> {
        let stream = TcpStream::from(stream);
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let added = Connection {
            stream,
            origin: Origin {
                pair,
                session: 0,
                until: 0,
                sheds: false,
            },
            decoder: FrameDecoder::new(LONGEST),
            queue: vec![0; QUEUE].into(),
            start: 0,
            end: 0,
            broken: false,
        };
        self.connections.insert(connection, added);
        let added = self.connections.get(&connection);
        added
            .map(|added| added.stream.as_fd())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Lets go of a connection, as it stands.
    pub fn take(&mut self, connection: u32) -> Option<Connection> {
        self.connections.remove(&connection)
    }

    /// Another worker is about to hand a connection over.
    pub fn expect(&mut self, connection: u32) {
        self.expected.insert(connection, Vec::new());
    }

    /// Keeps a command about a connection that is expected for later; gives it back if there is no such one.
    pub fn postpone(&mut self, connection: u32, command: Command) -> Option<Command> {
        match self.expected.get_mut(&connection) {
            Some(later) => {
                later.push(command);
                None
            }
            None => Some(command),
        }
    }

    /// Serves a connection of another worker from now on, if that still had it. Gives the commands that have come meanwhile.
    pub fn put(&mut self, connection: u32, held: Option<Connection>) -> Vec<Command> {
        if let Some(held) = held {
            self.connections.insert(connection, held);
        }
        self.expected.remove(&connection).unwrap_or_default()
    }

    /// Closes a connection; whether it was there.
    pub fn remove(&mut self, connection: u32) -> bool {
        self.connections.remove(&connection).is_some()
    }

    /// A connection.
    pub fn find(&mut self, connection: u32) -> Option<&mut Connection> {
        self.connections.get_mut(&connection)
    }

    /// Puts a frame into a connection's queue; `None` where there is no room for its kind, or no such connection.
    #[inline]
    pub fn queue(&mut self, connection: u32, frame: Frame, bytes: &[u8]) -> Option<()> {
        let queued = self.connections.get_mut(&connection)?.push(frame, bytes);
        self.dirty |= queued.is_some();
        queued
    }

    /// Writes what the connections take at once.
    #[inline]
    pub fn flush(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        for connection in self.connections.values_mut() {
            connection.write();
        }
    }
}

impl Connection {
    fn push(&mut self, frame: Frame, bytes: &[u8]) -> Option<()> {
        let limit = if frame == Frame::Video { VIDEO } else { QUEUE };
        let length = encode(bytes).ok()?;
        let len = length.len() + bytes.len();
        if self.broken || self.end - self.start + len > limit {
            return None;
        }
        if self.end + len > self.queue.len() {
            self.queue.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let to = self.queue.get_mut(self.end..self.end + len)?;
        let (prefix, rest) = to.split_at_mut_checked(length.len())?;
        prefix.copy_from_slice(&length);
        rest.copy_from_slice(bytes);
        self.end += len;
        Some(())
    }

    /// Writes what the system takes without waiting.
    pub fn write(&mut self) {
        while let Some(waiting) = self
            .queue
            .get(self.start..self.end)
            .filter(|w| !w.is_empty())
        {
            match self.stream.write(waiting) {
                Ok(written) => self.start += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Reading tells of it too, and the connection is closed there.
                    self.broken = true;
                    return;
                }
            }
        }
        (self.start, self.end) = (0, 0);
    }

    /// Copies the next frame that has arrived into `to`; gives its length, `None` where none is there yet.
    ///
    /// # Errors
    /// The connection is over: the peer closed it, it broke, or the peer does not keep to the framing.
    pub fn read_frame(&mut self, to: &mut [u8]) -> io::Result<Option<usize>> {
        let invalid = |error: FrameTooLong| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(invalid)? {
                let len = frame.len();
                let to = to.get_mut(..len).ok_or(io::ErrorKind::InvalidData)?;
                to.copy_from_slice(frame);
                return Ok(Some(len));
            }
            match self.stream.read(self.decoder.space()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.decoder.filled(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn connected() -> (TcpStream, TcpConnections) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, remote) = listener.accept().unwrap();
        let pair = Pair::tcp(stream.local_addr().unwrap(), remote, 5);
        let mut connections = TcpConnections::default();
        connections.add(5, pair, stream.into()).unwrap();
        (peer, connections)
    }

    #[test]
    fn a_peer_that_does_not_read_loses_video_before_audio_and_holds_nobody_up() {
        let (mut peer, mut connections) = connected();
        let video = [1; 1200];
        let audio = [2; 100];
        let mut sent = 0;
        while connections.queue(5, Frame::Video, &video).is_some() {
            connections.flush();
            sent += 1;
            assert!(sent < 100_000, "the queue is bounded");
        }
        let mut sent_audio = 0;
        while connections.queue(5, Frame::Audio, &audio).is_some() {
            connections.flush();
            sent_audio += 1;
            assert!(sent_audio < 100_000, "the queue is bounded");
        }
        assert!(sent_audio >= (QUEUE - VIDEO) / (audio.len() + 2) - 1);
        // All that was taken arrives, whole and in order.
        let mut decoder = FrameDecoder::new(1500);
        let (mut seen_video, mut seen_audio) = (0, 0);
        while seen_video + seen_audio < sent + sent_audio {
            let len = peer.read(decoder.space()).unwrap();
            decoder.filled(len);
            while let Some(frame) = decoder.next_frame().unwrap() {
                match frame.len() {
                    1200 => seen_video += 1,
                    100 => seen_audio += 1,
                    other => panic!("a frame of {other} bytes"),
                }
                assert!(seen_audio == 0 || seen_video == sent);
            }
            connections.find(5).unwrap().write();
        }
        assert_eq!((seen_video, seen_audio), (sent, sent_audio));
    }

    #[test]
    fn frames_are_read_whole_and_the_end_is_told() {
        let (mut peer, mut connections) = connected();
        let connection = connections.find(5).unwrap();
        let mut buffer = [0; 2048];
        assert_eq!(connection.read_frame(&mut buffer).unwrap(), None);
        peer.write_all(&[0, 3, 7]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(connection.read_frame(&mut buffer).unwrap(), None);
        peer.write_all(&[8, 9, 0, 1, 5]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(connection.read_frame(&mut buffer).unwrap(), Some(3));
        assert_eq!(buffer[..3], [7, 8, 9]);
        assert_eq!(connection.read_frame(&mut buffer).unwrap(), Some(1));
        assert_eq!(connection.read_frame(&mut buffer).unwrap(), None);
        drop(peer);
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(connection.read_frame(&mut buffer).is_err());
    }
}
