//! A classic BPF interpreter: computes the return value that the kernel would get from a filter.
//!
//! It follows the kernel's documentation of classic BPF and shares no constants with the assembler: it decodes
//! instructions by their bits, so that a wrong constant in the assembler fails the tests.

use libc::sock_filter;

/// `struct seccomp_data`, with the byte order of the kernel that fills it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Data {
    pub(super) number: u32,
    pub(super) arch: u32,
    pub(super) instruction_pointer: u64,
    pub(super) arguments: [u64; 6],
    pub(super) big_endian: bool,
}

impl Data {
    /// The word at an aligned offset: number, architecture, then the halves of 64 bit values in the kernel's byte
    /// order.
    fn word(&self, offset: u32) -> u32 {
        let long = match offset {
            0 => return self.number,
            4 => return self.arch,
            8 | 12 => self.instruction_pointer,
            _ => self.arguments[(offset as usize - 16) / 8],
        };
        let upper = (offset % 8 == 4) != self.big_endian;
        if upper { (long >> 32) as u32 } else { long as u32 }
    }
}

/// The checks that the kernel makes before it accepts a seccomp filter.
#[cfg(any(test, fuzzing))]
pub(super) fn check(program: &[sock_filter]) -> Result<(), String> {
    if program.is_empty() || program.len() > 4096 {
        return Err(format!("{} instructions", program.len()));
    }
    for (at, instruction) in program.iter().enumerate() {
        let inside = |skip: u64| at as u64 + 1 + skip < program.len() as u64;
        let sound = match instruction.code & 0x07 {
            0 => instruction.code == 0x20 && instruction.k % 4 == 0 && instruction.k < 64 && inside(0),
            4 => instruction.code == 0x54 && inside(0),
            5 if instruction.code == 0x05 => inside(u64::from(instruction.k)),
            5 => {
                matches!(instruction.code, 0x15 | 0x25 | 0x35 | 0x45)
                    && inside(u64::from(instruction.jt))
                    && inside(u64::from(instruction.jf))
            }
            6 => instruction.code == 0x06,
            _ => false,
        };
        if !sound {
            return Err(format!("instruction {at}: {instruction:?}"));
        }
    }
    Ok(())
}

/// Runs a program. Returns its return value.
pub(super) fn run(program: &[sock_filter], data: &Data) -> u32 {
    count(program, data).0
}

/// Runs a program. Returns its return value and the number of instructions executed.
pub(super) fn count(program: &[sock_filter], data: &Data) -> (u32, usize) {
    let (mut at, mut accumulator, mut steps) = (0usize, 0u32, 0usize);
    loop {
        let instruction = &program[at];
        let (class, operation) = (instruction.code & 0x07, instruction.code & 0xf0);
        at += 1;
        steps += 1;
        match (class, operation) {
            (0, _) => accumulator = data.word(instruction.k),
            (4, 0x50) => accumulator &= instruction.k,
            (5, 0x00) => at += instruction.k as usize,
            (5, _) => {
                let holds = match operation {
                    0x10 => accumulator == instruction.k,
                    0x20 => accumulator > instruction.k,
                    0x30 => accumulator >= instruction.k,
                    _ => accumulator & instruction.k != 0,
                };
                at += usize::from(if holds { instruction.jt } else { instruction.jf });
            }
            (6, _) => return (instruction.k, steps),
            _ => panic!("instruction {} is not allowed in a seccomp filter: {instruction:?}", at - 1),
        }
    }
}
