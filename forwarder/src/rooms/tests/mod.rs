//! Rooms in virtual time: with peers of another implementation (str0m) that speak SDP themselves, and with peers on paper that say
//! whatever a test wants said.

mod documented;
mod hall;
mod joining;
mod limits;
mod moderation;
mod paper;
mod properties;
mod renegotiating;
mod wishing;
