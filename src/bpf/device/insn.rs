//! Writes an eBPF program from its end to its beginning, so that every jump's target exists when the jump is made.
//!
//! It knows the handful of instructions a device program needs, and nothing of devices. Comparisons are those of 32 bits
//! (`BPF_JMP32`, kernel 5.1): the 64 bit ones would extend the sign of a constant.

/// A register, 0 to 10; register 1 holds the context on entry and register 0 the answer on exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u8);

const ANSWER: Register = Register(0);
const CONTEXT: Register = Register(1);

/// An instruction that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// A program in the making, last instruction first.
#[derive(Default)]
pub(super) struct Assembler {
    reversed: Vec<u64>,
}

impl Assembler {
    fn push(&mut self, code: u8, target: Register, source: Register, offset: i16, constant: u32) {
        // `struct bpf_insn` has the two registers as bit fields, whose order follows that of the bytes.
        let registers =
            if cfg!(target_endian = "little") { source.0 << 4 | target.0 } else { target.0 << 4 | source.0 };
        let [offset0, offset1] = offset.to_ne_bytes();
        let [c0, c1, c2, c3] = constant.to_ne_bytes();
        self.reversed.push(u64::from_ne_bytes([code, registers, offset0, offset1, c0, c1, c2, c3]));
    }

    /// The instruction that control falls into from the one written next.
    pub(super) fn here(&self) -> Label {
        Label(self.reversed.len().saturating_sub(1))
    }

    fn jump(&mut self, code: u8, register: Register, constant: u32, target: Label) {
        let distance = self.here().0 - target.0;
        // A program in which this does not fit is longer than the compiler returns.
        let distance = i16::try_from(distance).unwrap_or(i16::MAX);
        self.push(code, register, Register(0), distance, constant);
    }

    /// Ends the program with an answer.
    pub(super) fn answer(&mut self, answer: bool) -> Label {
        self.push(0x95, Register(0), Register(0), 0, 0); // BPF_EXIT
        self.push(0xb7, ANSWER, Register(0), 0, u32::from(answer)); // BPF_ALU64 | BPF_MOV | BPF_K
        self.here()
    }

    pub(super) fn go(&mut self, target: Label) {
        self.jump(0x05, Register(0), 0, target); // BPF_JA
    }

    pub(super) fn if_equal(&mut self, register: Register, constant: u32, target: Label) {
        self.jump(0x16, register, constant, target); // BPF_JMP32 | BPF_JEQ | BPF_K
    }

    pub(super) fn unless_equal(&mut self, register: Register, constant: u32, target: Label) {
        self.jump(0x56, register, constant, target); // BPF_JMP32 | BPF_JNE | BPF_K
    }

    pub(super) fn if_any_bit(&mut self, register: Register, bits: u32, target: Label) {
        self.jump(0x46, register, bits, target); // BPF_JMP32 | BPF_JSET | BPF_K
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

    /// The program, whose first instruction is the one written last.
    pub(super) fn finish(mut self) -> Vec<u64> {
        self.reversed.reverse();
        self.reversed
    }
}
