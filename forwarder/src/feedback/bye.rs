//! The end of streams, said as RFC 3550 §6.6 wants it: in a compound packet that says who speaks.

use super::append;

/// Appends a whole compound packet that ends these streams: an empty receiver report, the CNAME, and BYE. Nothing for
/// no streams.
pub fn goodbye_compound(out: &mut Vec<u8>, ssrcs: &[u32], cname: &str, reason: &str) {
    let Some(&first) = ssrcs.first() else {
        return;
    };
    append::receiver_report(out, first, &[]);
    append::source_description(out, &[first], cname);
    append::goodbye(out, ssrcs, reason);
}
