//! The socket worker.
