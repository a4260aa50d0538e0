//! Small changes to inputs, from a seed.

use fastrand::Rng;

/// What parsers have opinions about.
const WORDS: [&[u8]; 16] = [
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\\u0000",
    b"\xff",
    b"\n",
    b"\0",
    b"\xe2\x80\xae",
    b"../",
    b"%2F",
    b",",
    b"true",
];

/// Inputs without end: each is one of the corpus, changed a few times.
pub(crate) struct Mutations {
    corpus: Vec<Vec<u8>>,
    rng: Rng,
}

impl Mutations {
    pub(crate) fn of(corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        Self { corpus, rng: Rng::with_seed(seed) }
    }

    fn any(&mut self) -> Vec<u8> {
        self.corpus[self.rng.usize(..self.corpus.len())].clone()
    }

    /// A part of the input.
    fn range(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let from = self.rng.usize(..=input.len());
        from..self.rng.usize(from..=input.len().min(from + 40))
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input);
        match self.rng.u8(..6) {
            0 if !input.is_empty() => {
                let at = self.rng.usize(..input.len());
                input[at] ^= 1 << self.rng.u8(..8);
            }
            1 => drop(input.drain(range)),
            2 => {
                let part = input[range.clone()].to_vec();
                input.splice(range.start..range.start, part);
            }
            3 => {
                let other = self.any();
                let part = self.range(&other);
                input.splice(range, other[part].iter().copied());
            }
            4 => input.truncate(range.start),
            _ => {
                let word = WORDS[self.rng.usize(..WORDS.len())];
                input.splice(range, word.iter().copied());
            }
        }
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = self.any();
        for _ in 0..self.rng.u8(1..4) {
            self.change(&mut input);
        }
        Some(input)
    }
}
