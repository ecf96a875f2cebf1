//! libsrtp2 through as much of its C interface as the suite calls, loaded at run time: where it is not installed the tests
//! leave themselves out, and nothing needs its headers.

use std::{
    ffi::{c_int, c_ulong, c_void},
    mem::MaybeUninit,
    ptr,
    sync::OnceLock,
};

use forwarder::srtp::{MasterKey, Suite};
use libloading::Library;

/// The name that Debian's libsrtp2-1 installs.
const NAME: &str = "libsrtp2.so.1";
const OK: c_int = 0;
/// `ssrc_any_inbound` and `ssrc_any_outbound` of `srtp_ssrc_type_t`.
const ANY_INBOUND: u32 = 2;
const ANY_OUTBOUND: u32 = 3;
/// What protecting may add (`SRTP_MAX_TRAILER_LEN` and the SRTCP word), generously.
const ROOM: usize = 200;

/// `srtp_crypto_policy_t`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CryptoPolicy {
    cipher_type: u32,
    cipher_key_len: c_int,
    auth_type: u32,
    auth_key_len: c_int,
    auth_tag_len: c_int,
    security_services: u32,
}

/// `srtp_policy_t`.
#[repr(C)]
struct Policy {
    ssrc_type: u32,
    ssrc_value: u32,
    rtp: CryptoPolicy,
    rtcp: CryptoPolicy,
    key: *const u8,
    keys: *const c_void,
    master_keys: c_ulong,
    deprecated_ekt: *const c_void,
    window_size: c_ulong,
    allow_repeat_tx: c_int,
    encrypted_extensions: *const c_int,
    encrypted_extensions_count: c_int,
    next: *const Self,
}

type SetPolicy = unsafe extern "C" fn(*mut CryptoPolicy, u32) -> c_int;
type Transform = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int) -> c_int;

/// The functions that are called.
struct Functions {
    create: unsafe extern "C" fn(*mut *mut c_void, *const Policy) -> c_int,
    dealloc: unsafe extern "C" fn(*mut c_void) -> c_int,
    set_rtp: SetPolicy,
    set_rtcp: SetPolicy,
    protect: Transform,
    unprotect: Transform,
    protect_rtcp: Transform,
    unprotect_rtcp: Transform,
    /// Unloading would leave the pointers above behind.
    _library: Library,
}

/// Loads and initialises the library, once. Says so where it cannot be loaded.
fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    FUNCTIONS
        .get_or_init(|| match load() {
            Ok(functions) => Some(functions),
            Err(error) => {
                println!("left out: needs {NAME} (Debian: libsrtp2-1): {error}");
                None
            }
        })
        .as_ref()
}

fn load() -> Result<Functions, libloading::Error> {
    // SAFETY: the names are of functions with these signatures in the library's srtp.h, of all versions 2.x; its
    // initialisation has no precondition.
    unsafe {
        let library = Library::new(NAME)?;
        let init = library.get::<unsafe extern "C" fn() -> c_int>(b"srtp_init\0")?;
        assert_eq!(init(), OK);
        Ok(Functions {
            create: *library.get(b"srtp_create\0")?,
            dealloc: *library.get(b"srtp_dealloc\0")?,
            set_rtp: *library.get(b"srtp_crypto_policy_set_from_profile_for_rtp\0")?,
            set_rtcp: *library.get(b"srtp_crypto_policy_set_from_profile_for_rtcp\0")?,
            protect: *library.get(b"srtp_protect\0")?,
            unprotect: *library.get(b"srtp_unprotect\0")?,
            protect_rtcp: *library.get(b"srtp_protect_rtcp\0")?,
            unprotect_rtcp: *library.get(b"srtp_unprotect_rtcp\0")?,
            _library: library,
        })
    }
}

/// Which way a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It protects.
    Outbound,
    /// It unprotects.
    Inbound,
}

/// A session of the library for all SSRCs of one direction.
pub struct Session {
    functions: &'static Functions,
    context: *mut c_void,
}

impl Session {
    /// `None` where the library is not installed. The replay window has this many packets.
    pub fn new(suite: Suite, key: &MasterKey, direction: Direction, window: u32) -> Option<Self> {
        let functions = functions()?;
        // The library takes key and salt in one piece, and copies them.
        let bytes = [key.key(), key.salt()].concat();
        let policy = |set: SetPolicy| {
            let mut policy = MaybeUninit::<CryptoPolicy>::zeroed();
            // SAFETY: plain integers, zero is a value of each; the function fills the struct that it is given.
            unsafe {
                assert_eq!(set(policy.as_mut_ptr(), suite.profile().into()), OK);
                policy.assume_init()
            }
        };
        let policy = Policy {
            ssrc_type: match direction {
                Direction::Outbound => ANY_OUTBOUND,
                Direction::Inbound => ANY_INBOUND,
            },
            ssrc_value: 0,
            rtp: policy(functions.set_rtp),
            rtcp: policy(functions.set_rtcp),
            key: bytes.as_ptr(),
            keys: ptr::null(),
            master_keys: 0,
            deprecated_ekt: ptr::null(),
            window_size: window.into(),
            allow_repeat_tx: 0,
            encrypted_extensions: ptr::null(),
            encrypted_extensions_count: 0,
            next: ptr::null(),
        };
        let mut context = ptr::null_mut();
        // SAFETY: a whole policy, whose key lives until the call returns.
        let status = unsafe { (functions.create)(&mut context, &policy) };
        assert_eq!(status, OK, "srtp_create");
        Some(Self { functions, context })
    }

    /// Protects an RTP packet.
    pub fn protect(&mut self, packet: &[u8]) -> Vec<u8> {
        self.run(self.functions.protect, packet)
            .expect("srtp_protect")
    }

    /// Opens an SRTP packet, or says the library's error number.
    pub fn unprotect(&mut self, packet: &[u8]) -> Result<Vec<u8>, i32> {
        self.run(self.functions.unprotect, packet)
    }

    /// Protects an RTCP packet.
    pub fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.run(self.functions.protect_rtcp, packet)
            .expect("srtp_protect_rtcp")
    }

    /// Opens an SRTCP packet, or says the library's error number.
    pub fn unprotect_rtcp(&mut self, packet: &[u8]) -> Result<Vec<u8>, i32> {
        self.run(self.functions.unprotect_rtcp, packet)
    }

    fn run(&mut self, transform: Transform, packet: &[u8]) -> Result<Vec<u8>, i32> {
        // Words, since the library wants headers aligned to them.
        let mut buffer = vec![0_u32; (packet.len() + ROOM) / 4];
        let mut len = packet.len() as c_int;
        // SAFETY: the buffer is as long as the packet and whatever the library adds; the context lives.
        unsafe {
            let bytes = buffer.as_mut_ptr().cast::<u8>();
            ptr::copy_nonoverlapping(packet.as_ptr(), bytes, packet.len());
            let status = transform(self.context, bytes.cast(), &mut len);
            if status != OK {
                return Err(status);
            }
            Ok(std::slice::from_raw_parts(bytes, len as usize).to_vec())
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: made by srtp_create, and used by nobody else.
        unsafe { (self.functions.dealloc)(self.context) };
    }
}
