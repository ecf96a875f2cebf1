//! Lets aya copy the table types in and out of maps.

use crate::tables::{DeviceTraffic, Endpoint, EndpointKey, PairKey, RouteKey, Steer, Traffic};

macro_rules! pod {
    ($($type:ty),+) => {
        // SAFETY: plain words without padding, any bit pattern valid (asserted in `tables`).
        $(#[allow(unsafe_code)] unsafe impl aya::Pod for $type {})+
    };
}

pod!(
    EndpointKey,
    Endpoint,
    RouteKey,
    PairKey,
    Steer,
    Traffic,
    DeviceTraffic
);
