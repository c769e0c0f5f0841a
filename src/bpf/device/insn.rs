//! Writes an eBPF program from its end to its beginning, so that every jump's target exists when the jump is written.
//!
//! The assembler has the few instructions that a device program needs, and does not know devices. Comparisons use 32
//! bits (`BPF_JMP32`, kernel 5.1), because 64 bit comparisons would extend the sign of a constant.

/// A register, 0 to 10. Register 1 holds the context on entry, register 0 the answer on exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u8);

/// Codes of jumps: `BPF_EXIT` and `BPF_JA`; `BPF_JEQ`, `BPF_JNE` and `BPF_JSET` of `BPF_JMP32` with a constant.
const EXIT: u8 = 0x95;
const JUMP: u8 = 0x05;
const IF_EQUAL: u8 = 0x16;
const UNLESS_EQUAL: u8 = 0x56;
const IF_ANY_BIT: u8 = 0x46;

const ANSWER: Register = Register(0);
const CONTEXT: Register = Register(1);

/// An instruction that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// An unfinished program, last instruction first.
#[derive(Default)]
pub(super) struct Assembler {
    reversed: Vec<u64>,
}

impl Assembler {
    fn push(&mut self, code: u8, target: Register, source: Register, offset: i16, constant: u32) {
        // The two registers are bit fields of `struct bpf_insn`. Their order follows the machine's byte order.
        let registers =
            if cfg!(target_endian = "little") { source.0 << 4 | target.0 } else { target.0 << 4 | source.0 };
        let [offset0, offset1] = offset.to_ne_bytes();
        let [c0, c1, c2, c3] = constant.to_ne_bytes();
        self.reversed.push(u64::from_ne_bytes([code, registers, offset0, offset1, c0, c1, c2, c3]));
    }

    /// The instruction that the next written one continues with.
    pub(super) fn here(&self) -> Label {
        Label(self.reversed.len().saturating_sub(1))
    }

    fn jump(&mut self, code: u8, register: Register, constant: u32, target: Label) {
        let distance = self.here().0 - target.0;
        // If the distance does not fit, the program is too long and the compiler refuses it.
        let distance = i16::try_from(distance).unwrap_or(i16::MAX);
        self.push(code, register, Register(0), distance, constant);
    }

    /// Ends the program with an answer.
    pub(super) fn answer(&mut self, answer: bool) -> Label {
        self.push(EXIT, Register(0), Register(0), 0, 0);
        self.push(0xb7, ANSWER, Register(0), 0, u32::from(answer)); // BPF_ALU64 | BPF_MOV | BPF_K
        self.here()
    }

    pub(super) fn go(&mut self, target: Label) {
        self.jump(JUMP, Register(0), 0, target);
    }

    pub(super) fn if_equal(&mut self, register: Register, constant: u32, target: Label) {
        self.jump(IF_EQUAL, register, constant, target);
    }

    pub(super) fn unless_equal(&mut self, register: Register, constant: u32, target: Label) {
        self.jump(UNLESS_EQUAL, register, constant, target);
    }

    pub(super) fn if_any_bit(&mut self, register: Register, bits: u32, target: Label) {
        self.jump(IF_ANY_BIT, register, bits, target);
    }

    pub(super) fn and(&mut self, register: Register, mask: u32) {
        self.push(0x54, register, Register(0), 0, mask); // BPF_ALU | BPF_AND | BPF_K
    }

    pub(super) fn shift_right(&mut self, register: Register, bits: u32) {
        self.push(0x74, register, Register(0), 0, bits); // BPF_ALU | BPF_RSH | BPF_K
    }

    pub(super) fn copy(&mut self, to: Register, from: Register) {
        self.push(0xbc, to, from, 0, 0); // BPF_ALU | BPF_MOV | BPF_X
    }

    /// Loads a 32 bit word of the context.
    pub(super) fn load(&mut self, to: Register, offset: i16) {
        self.push(0x61, to, CONTEXT, offset, 0); // BPF_LDX | BPF_MEM | BPF_W
    }

    /// Returns the program, in execution order. Unreachable code is removed because the kernel refuses it: code after a
    /// rule that grants everything, or an answer that no rule gives.
    pub(super) fn finish(mut self) -> Vec<u64> {
        self.reversed.reverse();
        let program = self.reversed;
        let mut reachable = vec![false; program.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reachable[at], true) {
                open.extend(successors(program[at]).into_iter().flatten().map(|distance| at + distance));
            }
        }
        // For each instruction, how many reachable ones come before it.
        let before: Vec<usize> = reachable
            .iter()
            .scan(0, |count, kept| Some(std::mem::replace(count, *count + usize::from(*kept))))
            .collect();
        let kept = program.iter().enumerate().filter(|(at, _)| reachable[*at]);
        kept.map(|(at, instruction)| match jump_distance(*instruction) {
            Some(distance) => with_distance(*instruction, before[at + distance] - before[at]),
            None => *instruction,
        })
        .collect()
    }
}

/// Distances to the instructions that can run after this one; 1 is the next instruction.
fn successors(instruction: u64) -> [Option<usize>; 2] {
    match instruction.to_ne_bytes()[0] {
        EXIT => [None, None],
        JUMP => [None, jump_distance(instruction)],
        _ => [Some(1), jump_distance(instruction)],
    }
}

/// Distance to the target of a jump; 1 is the next instruction. `None` if the instruction is not a jump.
fn jump_distance(instruction: u64) -> Option<usize> {
    let [code, _, low, high, ..] = instruction.to_ne_bytes();
    let jumps = [JUMP, IF_EQUAL, UNLESS_EQUAL, IF_ANY_BIT].contains(&code);
    jumps.then(|| i16::from_ne_bytes([low, high]).unsigned_abs() as usize + 1)
}

fn with_distance(instruction: u64, distance: usize) -> u64 {
    let mut bytes = instruction.to_ne_bytes();
    [bytes[2], bytes[3]] = ((distance - 1) as i16).to_ne_bytes();
    u64::from_ne_bytes(bytes)
}
