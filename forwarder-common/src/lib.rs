//! The rules of the data plane.
#![no_std]
