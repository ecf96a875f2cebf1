//! The ioctl `SIOCETHTOOL`: driver name, queues, rings and offloads.
//!
//! The ioctl and not ethtool's netlink family, because it answers for every driver and needs no privilege, and because sysfs shows
//! the namespace that it was mounted in rather than the one that this process is in. Layouts are those of
//! include/uapi/linux/ethtool.h, which never change.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::facts::{Channels, Offload, Rings};

const GET_DRIVER: u32 = 0x03;
const GET_RINGS: u32 = 0x10;
const GET_STRINGS: u32 = 0x1b;
const GET_STRING_COUNT: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const GET_CHANNELS: u32 = 0x3c;

/// The set of strings that names offloads (`ETH_SS_FEATURES`).
const FEATURE_NAMES: u32 = 4;
/// Bytes of each name (`ETH_GSTRING_LEN`).
const NAME: usize = 32;
/// More offloads than any kernel has (6.18 has 64), in blocks of 32.
const BLOCKS: usize = 8;

/// Asks one interface.
#[derive(Debug)]
pub struct Ethtool {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

#[repr(C)]
struct Driver {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

#[repr(C)]
#[derive(Default)]
struct RingParameters {
    command: u32,
    rx_max: u32,
    rx_mini_max: u32,
    rx_jumbo_max: u32,
    tx_max: u32,
    rx: u32,
    rx_mini: u32,
    rx_jumbo: u32,
    tx: u32,
}

#[repr(C)]
#[derive(Default)]
struct ChannelCounts {
    command: u32,
    max_rx: u32,
    max_tx: u32,
    max_other: u32,
    max_combined: u32,
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

#[repr(C)]
struct StringCount {
    command: u32,
    reserved: u32,
    mask: u64,
    count: [u32; 2],
}

#[repr(C)]
struct Strings {
    command: u32,
    set: u32,
    length: u32,
    names: [[u8; NAME]; 32 * BLOCKS],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct FeatureBlock {
    available: u32,
    requested: u32,
    active: u32,
    never_changed: u32,
}

#[repr(C)]
struct Features {
    command: u32,
    size: u32,
    blocks: [FeatureBlock; BLOCKS],
}

// `struct ethtool_drvinfo` has 196 bytes, and the kernel writes all of them.
const _: () = assert!(size_of::<Driver>() == 196);

impl Ethtool {
    /// Prepares questions about `interface` in the network namespace of the calling thread.
    pub fn open(interface: &str) -> io::Result<Self> {
        let mut name = [0; libc::IFNAMSIZ];
        // The last byte stays zero.
        if interface.len() >= name.len() || interface.bytes().any(|byte| byte == 0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "interface names have at most 15 bytes",
            ));
        }
        for (to, from) in name.iter_mut().zip(interface.bytes()) {
            *to = from.cast_signed();
        }
        let socket = socket(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        Ok(Self { socket, name })
    }

    /// Name of the driver.
    pub fn driver(&self) -> io::Result<String> {
        let mut answer = Driver {
            command: GET_DRIVER,
            driver: [0; 32],
            rest: [0; 160],
        };
        // SAFETY: `Driver` is `struct ethtool_drvinfo`, whose size is asserted above.
        unsafe { self.ask(&mut answer)? };
        Ok(text(&answer.driver))
    }

    /// Ring sizes.
    pub fn rings(&self) -> io::Result<Rings> {
        let mut answer = RingParameters {
            command: GET_RINGS,
            ..RingParameters::default()
        };
        // SAFETY: `RingParameters` is `struct ethtool_ringparam`.
        unsafe { self.ask(&mut answer)? };
        Ok(Rings {
            rx: answer.rx,
            tx: answer.tx,
            max_rx: answer.rx_max,
            max_tx: answer.tx_max,
        })
    }

    /// Numbers of queues.
    pub fn channels(&self) -> io::Result<Channels> {
        let mut answer = ChannelCounts {
            command: GET_CHANNELS,
            ..ChannelCounts::default()
        };
        // SAFETY: `ChannelCounts` is `struct ethtool_channels`.
        unsafe { self.ask(&mut answer)? };
        let ChannelCounts {
            max_rx,
            max_tx,
            max_combined,
            rx,
            tx,
            combined,
            ..
        } = answer;
        Ok(Channels {
            rx,
            tx,
            combined,
            max_rx,
            max_tx,
            max_combined,
        })
    }

    /// Offloads by name.
    pub fn offloads(&self) -> io::Result<BTreeMap<String, Offload>> {
        let mut count = StringCount {
            command: GET_STRING_COUNT,
            reserved: 0,
            mask: 1 << FEATURE_NAMES,
            count: [0; 2],
        };
        // SAFETY: `StringCount` is `struct ethtool_sset_info` with room for two counts, and one set is asked for.
        unsafe { self.ask(&mut count)? };
        let wanted = count.count[0] as usize;
        if wanted > 32 * BLOCKS {
            return Err(io::Error::other(format!(
                "the kernel has {wanted} offloads, more than this program has room for"
            )));
        }
        let mut names = Box::new(Strings {
            command: GET_STRINGS,
            set: FEATURE_NAMES,
            length: count.count[0],
            names: [[0; NAME]; 32 * BLOCKS],
        });
        // SAFETY: `Strings` is `struct ethtool_gstrings`; the kernel writes as many names as it counted above, and there is room.
        unsafe { self.ask(&mut *names)? };
        let blocks = u32::try_from(wanted.div_ceil(32)).unwrap_or_default();
        let mut features = Features {
            command: GET_FEATURES,
            size: blocks,
            blocks: [FeatureBlock::default(); BLOCKS],
        };
        // SAFETY: `Features` is `struct ethtool_gfeatures`; the kernel writes at most `size` blocks, and there is room.
        unsafe { self.ask(&mut features)? };
        let offloads = names
            .names
            .iter()
            .take(wanted)
            .enumerate()
            .filter_map(|(at, name)| {
                let block = features.blocks.get(at / 32)?;
                let bit = 1 << (at % 32);
                let changeable = block.available & bit != 0 && block.never_changed & bit == 0;
                let name = text(name);
                (!name.is_empty()).then_some((
                    name,
                    Offload {
                        on: block.active & bit != 0,
                        changeable,
                    },
                ))
            });
        Ok(offloads.collect())
    }

    /// Hands `question` to the kernel, which answers in place.
    ///
    /// # Safety
    /// `T` must have the layout of the structure that the kernel expects for the command in its first field, with room for
    /// everything that the kernel writes.
    unsafe fn ask<T>(&self, question: &mut T) -> io::Result<()> {
        // SAFETY: all-zero bytes are a valid `ifreq`, which holds only integers, arrays of them and a pointer.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name = self.name;
        request.ifr_ifru.ifru_data = std::ptr::from_mut(question).cast();
        // SAFETY: the socket is open, `request` outlives the call, and what it points to fits by the caller's promise.
        let done = unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                libc::SIOCETHTOOL as _,
                &raw mut request,
            )
        };
        if done < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

fn text(bytes: &[u8]) -> String {
    CStr::from_bytes_until_nul(bytes)
        .map_or_else(|_| String::from_utf8_lossy(bytes), CStr::to_string_lossy)
        .into_owned()
}
