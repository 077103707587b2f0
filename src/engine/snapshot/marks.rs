//! What has changed since the last save: a bit for each row.

/// Bits by row.
#[derive(Debug, Default)]
pub struct Marks {
    words: Vec<u64>,
    /// Whether any bit is set.
    is_any: bool,
    /// The group of pieces that the rows are saved in; 0 before the first save.
    pub group: u64,
}

impl Marks {
    /// Of rows that are saved in a group and have not changed.
    pub fn of(group: u64) -> Marks {
        Marks { group, ..Marks::default() }
    }

    /// The row has changed. True if it is the first since the last save.
    #[inline]
    pub fn set(&mut self, row: usize) -> bool {
        let word = row / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (row % 64);
        !std::mem::replace(&mut self.is_any, true)
    }

    /// There is no such row any more.
    pub fn clear(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// Hands out the rows that have changed, in order; none has from then on.
    pub fn drain(&mut self, mut each: impl FnMut(usize)) {
        if !std::mem::take(&mut self.is_any) {
            return;
        }
        for (index, word) in self.words.iter_mut().enumerate() {
            let mut left = std::mem::take(word);
            while left != 0 {
                each(index * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_handed_out_once_and_in_order() {
        let mut marks = Marks::default();
        let drained = |marks: &mut Marks| {
            let mut rows = Vec::new();
            marks.drain(|row| rows.push(row));
            rows
        };
        assert!(drained(&mut marks).is_empty());
        assert!(marks.set(700));
        for row in [0, 63, 64, 700, 5] {
            assert!(!marks.set(row));
        }
        marks.clear(64);
        marks.clear(10_000);
        assert_eq!(drained(&mut marks), [0, 5, 63, 700]);
        assert!(drained(&mut marks).is_empty());
        assert!(marks.set(1));
        assert_eq!(drained(&mut marks), [1]);
    }
}
