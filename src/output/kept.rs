//! What looks at rows, or keeps the newest of them, as bytes and back: a run that goes on where another was judges rows by
//! those before them, and shows them (section 5).
//!
//! Rows that `--having` has let through are written whole each time, as they are few: those of windows that may still
//! be corrected, and of them those that were printed.

use super::checks::Checks;
use super::gate::Gate;
use super::having::{Having, Printed};
use super::prometheus::{Picture, Prometheus, Row};
use super::streak::{Streak, Streaks};
use crate::codec::{Damaged, Reader, put, put_bytes, put_signed};
use crate::time::Timestamp;
use crate::window::Window;

impl Gate {
    /// Appends what it knows of rows. Violations are left out of what comes after an end that has told them.
    pub fn save(&self, with_violations: bool, out: &mut Vec<u8>) {
        put(out, self.left_out.len() as u64);
        for count in self.left_out.iter().chain(&self.taken_back).flatten() {
            put(out, *count);
        }
        let printed = self.having.as_ref().and_then(Having::printed);
        out.push(u8::from(printed.is_some()));
        printed.iter().for_each(|printed| printed.save(out));
        self.checks.save(with_violations, out);
    }

    /// Takes what another run has saved. Checks that it did not have begin anew.
    ///
    /// # Errors
    /// Nobody can have saved this for these flags.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let mut bytes = Reader::new(bytes);
        if bytes.count()? != self.left_out.len() as u64 {
            return Err(Damaged("rows are counted for other windows"));
        }
        for count in self.left_out.iter_mut().chain(&mut self.taken_back).flatten() {
            *count = bytes.count()?;
        }
        let printed = self.having.as_mut().and_then(Having::printed_mut);
        match (bytes.flag()?, printed) {
            (true, Some(printed)) => printed.restore(&mut bytes)?,
            (false, None) => {}
            _ => return Err(Damaged("rows are noted for another condition")),
        }
        self.checks.restore(&mut bytes)?;
        bytes.end()
    }
}

impl Printed {
    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.rows.len() as u64);
        for (end, rows) in &self.rows {
            put_signed(out, end.0);
            put(out, rows.len() as u64);
            for (spec, start, key) in rows {
                put(out, *spec as u64);
                put_signed(out, start.0);
                put_bytes(out, key);
            }
        }
    }

    fn restore(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        for _ in 0..bytes.count()? {
            let end = Timestamp(bytes.signed()?);
            let rows = self.rows.entry(end).or_default();
            for _ in 0..bytes.count()? {
                let (spec, start) = (bytes.count()? as usize, Timestamp(bytes.signed()?));
                rows.insert((spec, start, bytes.bytes()?.into()));
            }
        }
        Ok(())
    }
}

impl Checks {
    fn save(&self, with_violations: bool, out: &mut Vec<u8>) {
        put(out, self.all.len() as u64);
        for checked in &self.all {
            put_bytes(out, checked.check.name().as_bytes());
            let (violations, first) =
                if with_violations { (checked.violations, &checked.first[..]) } else { (0, &[][..]) };
            put(out, violations);
            put(out, first.len() as u64);
            first.iter().for_each(|line| put_bytes(out, line.as_bytes()));
            out.push(u8::from(checked.streaks.is_some()));
            checked.streaks.iter().for_each(|streaks| streaks.save(out));
        }
    }

    fn restore(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let mut is_restored = vec![false; self.all.len()];
        for _ in 0..bytes.count()? {
            let name = bytes.bytes()?;
            let violations = bytes.count()?;
            let mut first = Vec::new();
            for _ in 0..bytes.count()? {
                first.push(String::from_utf8_lossy(bytes.bytes()?).into_owned());
            }
            let streaks = if bytes.flag()? { Some(Streaks::read(bytes)?) } else { None };
            // What is checked is not what is computed: another run may check something else.
            let mut all = self.all.iter_mut().zip(&mut is_restored);
            let same = all.find(|(checked, is_restored)| !**is_restored && checked.check.name().as_bytes() == name);
            let Some((checked, is_restored)) = same else { continue };
            *is_restored = true;
            (checked.violations, checked.first) = (violations, first);
            if let (Some(now), Some((wanted, keys))) = (&mut checked.streaks, streaks) {
                now.resume(wanted, keys);
            }
        }
        Ok(())
    }
}

/// The windows of a key that failed.
type Kept = ((usize, Box<[u8]>), Streak);

impl Streaks {
    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.wanted as u64);
        put(out, self.keys.len() as u64);
        for ((spec, key), Streak { failed, rows }) in &self.keys {
            put(out, *spec as u64);
            put_bytes(out, key);
            put_signed(out, *rows);
            put(out, failed.len() as u64);
            for (number, end) in failed {
                put_signed(out, *number);
                put_signed(out, end.0);
            }
        }
    }

    /// How many windows were wanted, and those of each key.
    fn read(bytes: &mut Reader<'_>) -> Result<(usize, Vec<Kept>), Damaged> {
        let wanted = bytes.count()? as usize;
        let mut keys = Vec::new();
        for _ in 0..bytes.count()? {
            let key = (bytes.count()? as usize, bytes.bytes()?.into());
            let mut streak = Streak { rows: bytes.signed()?, ..Streak::default() };
            for _ in 0..bytes.count()? {
                streak.failed.push_back((bytes.signed()?, Timestamp(bytes.signed()?)));
            }
            keys.push((key, streak));
        }
        Ok((wanted, keys))
    }

    /// Goes on with these, unless another number of windows is wanted now.
    fn resume(&mut self, wanted: usize, keys: Vec<Kept>) {
        if wanted == self.wanted {
            self.keys.extend(keys);
        }
    }
}

impl Prometheus {
    /// Appends the newest rows.
    pub(super) fn save_pictures(&self, out: &mut Vec<u8>) {
        put(out, self.pictures.len() as u64);
        for Picture { rows, newest_end, .. } in &self.pictures {
            put_signed(out, newest_end.unwrap_or(Timestamp::MIN).0);
            put(out, rows.len() as u64);
            for (key, Row { window, numbers }) in rows {
                put_bytes(out, key);
                put_signed(out, window.start.0);
                put_signed(out, window.end.0);
                put_bytes(out, numbers);
            }
        }
    }

    /// Takes the newest rows of another run; they are to be shown again.
    ///
    /// # Errors
    /// Nobody can have saved this for these flags.
    pub(super) fn restore_pictures(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        if bytes.count()? != self.pictures.len() as u64 {
            return Err(Damaged("rows are shown of other windows"));
        }
        let columns = self.columns();
        for picture in &mut self.pictures {
            picture.newest_end = Some(Timestamp(bytes.signed()?)).filter(|end| *end > Timestamp::MIN);
            for _ in 0..bytes.count()? {
                let key = bytes.bytes()?.into();
                let window = Window { start: Timestamp(bytes.signed()?), end: Timestamp(bytes.signed()?) };
                let numbers: Box<[u8]> = bytes.bytes()?.into();
                if memchr::memchr_iter(b'\n', &numbers).count() != columns {
                    return Err(Damaged("rows are shown of other columns"));
                }
                picture.rows.insert(key, Row { window, numbers });
            }
        }
        self.has_news = true;
        Ok(())
    }
}
