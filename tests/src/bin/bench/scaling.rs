//! stub
pub fn run(_f: &crate::args::Common) -> anyhow::Result<bool> { Ok(true) }
