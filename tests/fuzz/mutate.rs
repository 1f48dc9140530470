//! Bytes changed at random: bits, pieces, numbers, and words of the formats.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Words that readers look for, and texts that numbers are read from.
const WORDS: [&[u8]; 34] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[",
    b":",
    b"null",
    b"true",
    b"-",
    b"1e999",
    b"-1e400",
    b"nan",
    b"inf",
    b"0",
    b"-1",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
    b"9223372036854775808",
    b"2026-13-45T99:99:99Z",
    b"\\ud800",
    b"\xe2\x80\xae",
    b"=1+1",
];
/// Whole numbers at the edges of their types.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
/// Longest input.
const LONGEST: usize = 1 << 16;

/// Makes inputs from seeds.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    random: Xoshiro256PlusPlus,
}

impl Mutator {
    pub fn new(seeds: &[Vec<u8>], seed: u64) -> Self {
        Self { seeds: seeds.to_vec(), random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The next input: a seed with one to eight changes.
    pub fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..1 << self.random.gen_range(0..4) {
            self.change(&mut bytes);
            if bytes.is_empty() {
                break;
            }
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn seed(&mut self) -> &[u8] {
        let at = self.random.gen_range(0..self.seeds.len());
        &self.seeds[at]
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let n = bytes.len();
        let (at, kind) = (self.random.gen_range(0..n), self.random.gen_range(0..10));
        let length = self.random.gen_range(1..=(n - at).min(64));
        match kind {
            0 => bytes[at] ^= 1 << self.random.gen_range(0..8),
            1 => bytes[at] = self.random.r#gen(),
            2 => drop(bytes.drain(at..at + length)),
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let times = self.random.gen_range(1..4);
                let to = self.random.gen_range(0..=n);
                bytes.splice(to..to, piece.repeat(times));
            }
            5 => {
                let word = WORDS[self.random.gen_range(0..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            6 => {
                let word = WORDS[self.random.gen_range(0..WORDS.len())];
                bytes.splice(at..at + length.min(word.len()), word.iter().copied());
            }
            7 => self.number(bytes, at),
            8 => self.digits(bytes, at),
            _ => {
                let other = self.seed().to_vec();
                let from = self.random.gen_range(0..other.len().max(1)).min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    /// A number of one, two, four or eight bytes at the edge of its type.
    fn number(&mut self, bytes: &mut [u8], at: usize) {
        let edge = EDGES[self.random.gen_range(0..EDGES.len())].wrapping_sub(self.random.gen_range(0..2));
        let size = (1 << self.random.gen_range(0..4)).min(bytes.len() - at);
        let mut number = edge.to_le_bytes();
        if self.random.r#gen() {
            number[..size].reverse();
        }
        bytes[at..at + size].copy_from_slice(&number[..size]);
    }

    /// The digits from `at` on as another number.
    fn digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let Some(from) = bytes[at..].iter().position(is_digit).map(|n| at + n) else { return };
        let to = bytes[from..].iter().position(|byte| !is_digit(byte)).map_or(bytes.len(), |n| from + n);
        let other = EDGES[self.random.gen_range(0..EDGES.len())].to_string();
        bytes.splice(from..to, other.bytes());
    }
}
