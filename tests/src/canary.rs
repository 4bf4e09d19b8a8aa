//! Looks for what must be nowhere: secrets and whole numbers in files, and in the arguments of programs.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Result;

/// A place where a canary was found. The canary itself is not told again, only its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// "join token", "whole number".
    pub kind: String,
    /// File, or "arguments of PROGRAM".
    pub place: String,
}

/// What is looked for: kind and text.
pub type Canaries = [(String, String)];

/// A number as it may be written: with and without its plus, national, and its last ten digits.
pub fn spellings(number: &str) -> Vec<String> {
    let digits = number.trim_start_matches('+');
    let national = digits.strip_prefix("44").unwrap_or(digits);
    vec![
        national.to_owned(),
        format!("{} {}", &national[..national.len() - 6], &national[national.len() - 6..]),
    ]
}

/// Searches every file below a folder, but those whose path holds one of `spared`.
///
/// # Errors
/// When a folder cannot be listed.
pub fn in_files(folder: &Path, spared: &[&str], canaries: &Canaries) -> Result<BTreeSet<Sighting>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            let name = path.display().to_string();
            if path.is_symlink() || spared.iter().any(|part| name.contains(part)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                // A file that vanished meanwhile holds nothing.
                let bytes = std::fs::read(&path).unwrap_or_default();
                found.extend(in_bytes(&bytes, &name, canaries));
            }
        }
    }
    Ok(found)
}

fn in_bytes(bytes: &[u8], place: &str, canaries: &Canaries) -> Vec<Sighting> {
    let wide = |text: &str| text.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    canaries
        .iter()
        // WebKit keeps texts as UTF-16.
        .filter(|(_, text)| holds(text.as_bytes()) || holds(&wide(text)))
        .map(|(kind, _)| Sighting { kind: kind.clone(), place: place.to_owned() })
        .collect()
}

/// Name of a program, and its arguments.
type Line = (String, Vec<u8>);

/// Collects the arguments of this process's children, grandchildren and so on while it lives.
pub struct Arguments {
    seen: Arc<Mutex<BTreeSet<Line>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Arguments {
    /// Begins.
    pub fn watch() -> Self {
        let (seen, stop) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let (keep, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                keep.lock().unwrap_or_else(PoisonError::into_inner).extend(of_descendants());
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// Searches what was collected.
    pub fn search(&self, canaries: &Canaries) -> BTreeSet<Sighting> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .flat_map(|(program, line)| in_bytes(line, &format!("arguments of {program}"), canaries))
            .collect()
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn of_descendants() -> Vec<Line> {
    let own = std::process::id();
    descendants(own)
        .into_iter()
        .filter_map(|id| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
            let program = std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
            Some((program.trim().to_owned(), line))
        })
        .collect()
}

/// Process ids of the children, grandchildren and so on of a process.
pub fn descendants(of: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // proc(5): pid (comm) state ppid; the name may hold spaces and brackets.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut all = Vec::new();
    let mut next = vec![of];
    while let Some(id) = next.pop() {
        let of_this = children.remove(&id).unwrap_or_default();
        all.extend(&of_this);
        next.extend(of_this);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_files_and_arguments_and_not_told_again() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("a/b")).expect("made");
        std::fs::write(folder.path().join("a/b/log"), "rang 7700900123 now").expect("written");
        std::fs::write(folder.path().join("a/spared.db"), "7700900123").expect("written");
        let canaries: Vec<_> =
            spellings("+447700900123").into_iter().map(|text| ("whole number".to_owned(), text)).collect();
        let found = in_files(folder.path(), &["spared.db"], &canaries).expect("searched");
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|s| s.place.ends_with("a/b/log") && !format!("{s:?}").contains("0123")));
        let arguments = Arguments::watch();
        let mut child =
            std::process::Command::new("sleep").args(["5", "0.7700900123"]).spawn().expect("sleep");
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while arguments.search(&canaries).is_empty() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(arguments.search(&canaries).len(), 1);
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
}
