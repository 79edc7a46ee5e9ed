//! What the start took and nothing needs any more is given back.

#![allow(unsafe_code)]

/// Gives back the pages of this program's own code, and what the allocator keeps.
///
/// The kernel maps code sixteen pages at a time, and the start runs through much that never runs
/// again: of ten MiB of code that are mapped after it, three are used. What is used comes back
/// from the page cache by itself, at a fault for each sixteen pages. Costs nothing where
/// `/proc/self/maps` can't be read: then nothing is given back.
pub fn give_back() {
    for (from, length) in own_code().unwrap_or_default() {
        // SAFETY: the range is a whole mapping, of this executable, that is not writable, so its
        // pages are those of the file: they are read again when they are needed. Nothing unmaps
        // the executable while the program runs.
        unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(from),
                length,
                libc::MADV_DONTNEED,
            );
        }
    }
    // SAFETY: malloc_trim has no preconditions; it is absent only where the C library is not GNU.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Address and length of the executable's mappings that hold code: never those that can be, or
/// were (relocations), written.
fn own_code() -> Option<Vec<(usize, usize)>> {
    let own = std::fs::read_link("/proc/self/exe").ok()?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    Some(code_of(&maps, own.to_str()?))
}

/// The same, of the text of proc(5) `maps`: `from-to perms offset dev inode path`.
fn code_of(maps: &str, own: &str) -> Vec<(usize, usize)> {
    let ranges = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        // The path goes to the end of the line and may hold spaces.
        let path = rest.get(rest.find('/')?..)?;
        if !rest.starts_with("r-xp ") || path != own {
            return None;
        }
        let (from, to) = range.split_once('-')?;
        let from = usize::from_str_radix(from, 16).ok()?;
        let to = usize::from_str_radix(to, 16).ok()?;
        Some((from, to.checked_sub(from)?))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_code_is_given_back() {
        let maps = "\
55d0c0000000-55d0c0100000 r--p 00000000 fe:00 12 /opt/a b/warroom
55d0c0100000-55d0c0900000 r-xp 00100000 fe:00 12 /opt/a b/warroom
55d0c0900000-55d0c0980000 r--p 00900000 fe:00 12 /opt/a b/warroom
55d0c0980000-55d0c0990000 rw-p 00980000 fe:00 12 /opt/a b/warroom
55d0c0990000-55d0c09a0000 rwxp 00980000 fe:00 12 /opt/a b/warroom
7f0000000000-7f0000010000 r-xp 00000000 fe:00 13 /usr/lib/libc.so.6
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
nonsense
";
        assert_eq!(
            code_of(maps, "/opt/a b/warroom"),
            [(0x55d0_c010_0000, 0x80_0000)]
        );
        assert_eq!(code_of(maps, "/opt/other"), []);
    }

    #[test]
    fn the_program_goes_on_after_it() {
        assert!(!own_code().unwrap_or_default().is_empty());
        let kept: Vec<u64> = (0..10_000).collect();
        give_back();
        assert_eq!(kept.iter().sum::<u64>(), 49_995_000);
    }
}
