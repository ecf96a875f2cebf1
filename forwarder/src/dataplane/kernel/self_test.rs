//! see mod
