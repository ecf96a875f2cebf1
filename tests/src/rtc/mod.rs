//! Real WebRTC clients for the lab: str0m with real sockets in namespaces, publishing encoded pictures and sound, and checking every
//! frame that they get against what was published.
//!
//! A [`Crowd`] is a thread in a namespace with any number of clients in it. A [`Member`] is the handle on one. A [`Participant`] is
//! a member together with its session at a forwarder, made by REST calls; without a forwarder two members can be joined to each
//! other, which is how the clients themselves are tested. What a client saw is in its [`Report`]; the datagrams are judged apart from
//! str0m, from the clear part of the SRTP header ([`wire`]), so that a lost, doubled or late packet does not hide behind a jitter buffer.

pub mod agent;
pub mod api;
pub mod clip;
pub mod containers;
pub mod crowd;
pub mod encode;
pub mod inbound;
pub mod mischief;
pub mod numbering;
pub mod outbound;
pub mod participant;
pub mod reports;
pub mod road;
pub mod suite;
pub mod wire;

pub use agent::{Agent, AgentOptions, Remote};
pub use clip::{Clip, Codec};
pub use crowd::{Crowd, Member};
pub use mischief::Mischief;
pub use inbound::{Expected, InboundReport};
pub use numbering::Numbering;
pub use outbound::{Ledger, Track};
pub use participant::{Participant, Published, Subscribed};
pub use reports::Report;
pub use road::Protocol;
pub use suite::{DtlsVersion, Suite};
