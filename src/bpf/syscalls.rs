//! System call numbers of every architecture.
//!
//! One sorted table serves all architectures: one lookup of a name finds the row with its numbers on every architecture
//! of a profile. The names of architectures and their `AUDIT_ARCH_*` values are in `seccomp::arch`.

mod table;

pub(super) use table::{
    AARCH64, ARM, LOONGARCH64, M68K, MIPS_N32, MIPS_N64, MIPS_O32, PARISC, PARISC64, PPC, PPC64, RISCV64, S390, S390X,
    SH, X32, X86, X86_64,
};

/// Table entry for a call that an architecture does not have.
const ABSENT: u16 = 0xffff;

/// Table entries from here on are ARM's private calls. Their real numbers begin at [`ARM_PRIVATE_BASE`].
const ARM_PRIVATE: u16 = 0xf000;

/// `__ARM_NR_BASE`: the number of ARM's first private call. Private calls are breakpoint, cacheflush, set_tls and so
/// on.
pub(super) const ARM_PRIVATE_BASE: u32 = 0x0f_0000;

/// A system call: the index of its row in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call(u16);

/// Slots of the hash index: a power of two, more than twice the number of calls, so that probe sequences are short.
const SLOTS: usize = 2048;
const _: () = assert!(table::CALLS * 2 < SLOTS, "the index of system call names is too full");

/// FNV-1a, which suits short names and can be `const`, so that the compiler builds the index.
const fn hash(name: &[u8], start: usize, end: usize) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = start;
    while at < end {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    // The low bits of FNV-1a are weaker than the high bits, so mix them.
    (hash ^ (hash >> 15)) as usize % SLOTS
}

const fn start_of(row: usize) -> usize {
    if row == 0 { 0 } else { table::ENDS[row - 1] as usize }
}

/// Hash index of the names: open addressing with linear probing. A free slot is `ABSENT`.
static INDEX: [u16; SLOTS] = {
    let mut index = [ABSENT; SLOTS];
    let mut row = 0;
    while row < table::CALLS {
        let mut slot = hash(table::NAMES.as_bytes(), start_of(row), table::ENDS[row] as usize);
        while index[slot] != ABSENT {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = row as u16;
        row += 1;
    }
    index
};

/// Finds a call by its name, as the kernel's headers spell it.
pub(super) fn find(name: &str) -> Option<Call> {
    let mut slot = hash(name.as_bytes(), 0, name.len());
    loop {
        let row = INDEX[slot];
        if row == ABSENT {
            return None;
        }
        if name_of(Call(row)) == name {
            return Some(Call(row));
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The name of a call.
pub(super) fn name_of(call: Call) -> &'static str {
    let row = usize::from(call.0);
    &table::NAMES[start_of(row)..usize::from(table::ENDS[row])]
}

/// The number of a call in a column, which is an architecture; `None` if the architecture does not have the call.
pub(super) fn number(call: Call, column: usize) -> Option<u32> {
    match table::NUMBERS[usize::from(call.0)][column] {
        ABSENT => None,
        private @ ARM_PRIVATE.. => Some(ARM_PRIVATE_BASE + u32::from(private - ARM_PRIVATE)),
        number => Some(u32::from(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_finds_every_name_and_names_are_sorted() {
        for row in 0..table::CALLS {
            let call = Call(row as u16);
            assert_eq!(find(name_of(call)), Some(call));
            assert!(row == 0 || name_of(Call(row as u16 - 1)) < name_of(call), "{} is out of order", name_of(call));
        }
        for name in ["", "opnat2", "rea", "readd", "READ"] {
            assert_eq!(find(name), None, "{name:?}");
        }
    }

    #[test]
    fn known_numbers() {
        for (name, column, expected) in [
            ("read", X86_64, Some(0)),
            ("read", X86, Some(3)),
            ("read", AARCH64, Some(63)),
            ("open", AARCH64, None),
            ("read", MIPS_O32, Some(4003)),
            ("read", MIPS_N64, Some(5000)),
            ("read", MIPS_N32, Some(6000)),
            ("rt_sigaction", X32, Some(512)),
            ("set_tls", ARM, Some(0x0f_0005)),
            ("setxattrat", RISCV64, Some(463)),
            ("open_tree_attr", LOONGARCH64, Some(467)),
            ("file_setattr", PARISC64, Some(469)),
            ("listns", S390X, Some(470)),
            ("mmap2", S390, Some(192)),
            ("clone3", PPC64, Some(435)),
            ("spu_run", PPC, Some(278)),
            ("cacheflush", M68K, Some(123)),
            ("cacheflush", SH, Some(123)),
            ("lws_entry", PARISC, None),
        ] {
            assert_eq!(find(name).and_then(|call| number(call, column)), expected, "{name} in column {column}");
        }
    }
}
