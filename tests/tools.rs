//! What tests of faults need of the machine, and that not every machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Whether a command works; its complaints are nobody's business.
pub fn works(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether calls of other programs can be made to fail.
pub fn has_strace() -> bool {
    works(&["strace", "-f", "-o", "/dev/null", "true"])
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// Something mounted, until it is dropped.
pub struct Mounted {
    pub at: PathBuf,
}

impl Mounted {
    /// `None` if that is not allowed here.
    pub fn new(words: &[&str], at: &Path) -> Option<Mounted> {
        fs::create_dir_all(at).expect("a directory for tests");
        works(&[&["mount"], words, &[text(at)]].concat()).then(|| Mounted { at: at.to_owned() })
    }

    /// A file system in memory of so many bytes.
    pub fn memory(bytes: u64, at: &Path) -> Option<Mounted> {
        Mounted::new(&["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "none"], at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that has just been killed may still hold a file.
        for _ in 0..50 {
            if works(&["umount", text(&self.at)]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        works(&["umount", "-l", text(&self.at)]);
    }
}

/// Takes all room but about `rest` bytes.
pub fn fill(path: &Path, rest: u64) {
    let block = vec![1; 4096];
    let mut file = fs::File::create(path).expect("room for a name");
    let mut length = 0;
    while std::io::Write::write_all(&mut file, &block).is_ok() {
        length += block.len() as u64;
    }
    file.set_len(length.saturating_sub(rest)).expect("our own");
}

/// Stops a process and waits until it stands still.
pub fn stop(process: u32) {
    assert!(works(&["kill", "-STOP", &process.to_string()]));
    while !is_stopped(process) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The threads of a process have all stopped.
fn is_stopped(process: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok()).all(|stat| {
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        matches!(state, Some('T' | 't' | 'Z' | 'X'))
    })
}

/// An ext4 file system in a file, of which a copy is what a disk had received when the power went.
pub struct Image {
    file: PathBuf,
    pub at: PathBuf,
}

impl Image {
    /// An empty one; `None` if there is no mkfs.ext4.
    pub fn new(directory: &Path, bytes: u64) -> Option<Image> {
        let image = Image { file: directory.join("image"), at: directory.join("mounted") };
        let file = fs::File::create(&image.file).expect("room");
        file.set_len(bytes).expect("room");
        works(&["mkfs.ext4", "-q", "-F", text(&image.file)]).then_some(image)
    }

    /// `None` if that is not allowed.
    pub fn mount(&self, mode: &str) -> Option<Mounted> {
        Mounted::new(&["-o", &format!("loop,data={mode}"), text(&self.file)], &self.at)
    }

    /// What the disk has now. The process that writes must stand still.
    pub fn cut(&self) {
        fs::copy(&self.file, self.file.with_extension("cut")).expect("room");
    }

    /// Makes the image what it was at the cut. It must not be mounted.
    pub fn take_cut(&self) {
        fs::rename(self.file.with_extension("cut"), &self.file).expect("our own");
    }
}
