use core::cmp::Ordering;

/// The numbers below `count` in the order of `compare`. An insertion into a short list costs a page less than a sort.
pub fn order(count: usize, mut compare: impl FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut ordered: Vec<usize> = Vec::with_capacity(count);
    for new in 0..count {
        let place = ordered.partition_point(|old| compare(*old, new) != Ordering::Greater);
        ordered.insert(place, new);
    }
    ordered
}

/// The order of JavaScript's and Java's strings: by UTF-16 units.
pub fn by_utf16(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}
