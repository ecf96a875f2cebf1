//! What stands between the operating system and the core: starting, stopping, examining, and finding next hops.

mod data_plane;
mod examine;
mod lock;
mod made_key;
mod media;
mod media_port;
mod placer;
mod run;
mod sockets;
mod stop;

pub use examine::examine;
pub use made_key::made_key;
pub use run::run;
pub use stop::stop;
