//! What carries a session's media and who may send it: ICE-lite, DTLS, certificate and fingerprints, and the framing of ICE-TCP.
//!
//! Sans-IO: datagrams and the time go in, answers and events come out. One [`IceLite`] and one [`Dtls`] per session; a datagram
//! reaches [`Dtls`] only from a 5-tuple that [`IceLite`] has validated.

mod certificate;
mod credentials;
mod dtls;
mod fingerprint;
mod framing;
mod ice;
mod pair;
mod timebase;

pub use certificate::{Certificate, CertificateError};
pub use credentials::{Credentials, CredentialsError};
pub use dtls::{
    Connected, DATAGRAMS, Dtls, DtlsContext, DtlsError, DtlsEvent, HelloBuffer, Offer, Role,
    Version,
};
pub use fingerprint::{Fingerprint, FingerprintError, HashFunction};
pub use framing::{FrameDecoder, FrameTooLong, LENGTH, encode};
pub use ice::{CONSENT, ConsentLost, IceError, IceEvent, IceLite, ufrag_of};
pub use pair::{Pair, Protocol};
pub use timebase::Timebase;
