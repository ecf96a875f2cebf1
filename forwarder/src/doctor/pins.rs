//! Whose an attached XDP program is: nodes of ours pin their links, a pinned link can be opened, and the kernel then tells the
//! program's id.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::facts::Owner;

/// Where nodes of ours pin maps and links, a directory for each.
const PINS: &str = "/sys/fs/bpf/forwarder";

/// `BPF_OBJ_GET` of include/uapi/linux/bpf.h.
const OBJECT_GET: libc::c_long = 7;

/// Directories below a node's own that are looked into.
const DEPTH: usize = 2;

/// Finds the node that has pinned the program with this id, or a link of it.
pub fn owner(program: u32) -> Owner {
    match find(Path::new(PINS), program) {
        Ok(Some(node)) => Owner::Node(node),
        Ok(None) => Owner::Other,
        Err(_) => Owner::Hidden,
    }
}

fn find(pins: &Path, program: u32) -> io::Result<Option<String>> {
    let nodes = match fs::read_dir(pins) {
        Ok(nodes) => nodes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for node in nodes {
        let node = node?;
        if holds(&node.path(), program, DEPTH)? {
            return Ok(Some(node.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

fn holds(directory: &Path, program: u32, depth: usize) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let found = if entry.file_type()?.is_dir() {
            depth > 0 && holds(&entry.path(), program, depth - 1)?
        } else {
            program_of(&entry.path())? == Some(program)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The program that a pinned program or link is or holds; `None` for maps.
fn program_of(pin: &Path) -> io::Result<Option<u32>> {
    let object = open(pin)?;
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_raw_fd()))?;
    Ok(program_id(&facts))
}

fn program_id(facts: &str) -> Option<u32> {
    facts
        .lines()
        .find_map(|line| line.strip_prefix("prog_id:"))?
        .trim()
        .parse()
        .ok()
}

/// `union bpf_attr` as `BPF_OBJ_GET` reads it.
#[repr(C)]
struct ObjectGet {
    path: u64,
    descriptor: u32,
    flags: u32,
}

fn open(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attribute = ObjectGet {
        path: path.as_ptr() as u64,
        descriptor: 0,
        flags: 0,
    };
    // SAFETY: the attribute has the layout and size told, and the path it points to outlives the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJECT_GET,
            &raw mut attribute,
            size_of::<ObjectGet>(),
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = i32::try_from(done).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_the_program() {
        assert_eq!(
            program_id(
                "pos:\t0\nlink_type:\txdp\nlink_id:\t4\nprog_tag:\tab\nprog_id:\t329\nifindex:\t3\n"
            ),
            Some(329)
        );
        assert_eq!(program_id("pos:\t0\nmap_type:\t2\nmap_id:\t9\n"), None);
    }
}
