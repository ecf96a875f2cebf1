//! The forwarder library.
