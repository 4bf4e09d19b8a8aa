//! What the process asks of the system before anything else.

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit, umask},
};

use crate::config::Doors;

/// Enough for every connection of [`Doors::default`] to be a tunnel, and twice as many again.
const OPEN_FILES: u64 = 16_384;
/// The database, the log, Asterisk, the organiser's commands.
const OWN_FILES: u64 = 256;

/// Whatever the server makes is its owner's only: logs, copies of the database, sockets, from their first moment.
pub fn close_to_others() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Asks for as many open files as the connections may need; where the system gives fewer, there are fewer
/// connections, so that the database and Asterisk are reached all the same.
pub fn make_room(doors: Doors) -> Doors {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    let given = match limit.current {
        Some(current) if current < wanted => {
            match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
                Ok(()) => wanted,
                Err(error) => {
                    tracing::warn!(%error, "the system gives no more open files");
                    current
                }
            }
        }
        Some(current) => current,
        None => OPEN_FILES,
    };
    let room = doors.within(given);
    if room.connections < Doors::default().connections {
        tracing::warn!(
            open_files = given,
            connections = room.connections,
            "few open files: raise LimitNOFILE"
        );
    }
    room
}

impl Doors {
    /// As many connections as so many open files allow: a tunnel takes two. Of few, strangers and this machine
    /// itself have a part only.
    fn within(self, open_files: u64) -> Self {
        let most = open_files.saturating_sub(OWN_FILES).div_euclid(2).max(16);
        let connections = self.connections.min(usize::try_from(most).unwrap_or(usize::MAX));
        Self {
            connections,
            strangers: self.strangers.min(connections / 4),
            here: self.here.min(connections / 8),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_server_itself() {
        let doors = Doors::default();
        assert_eq!(doors.clone().within(1_024).connections, 384);
        let few = doors.clone().within(100);
        assert_eq!((few.connections, few.strangers, few.here), (16, 4, 2));
        let all = doors.clone().within(OPEN_FILES);
        assert_eq!(
            (all.connections, all.strangers, all.here),
            (doors.connections, doors.strangers, doors.here)
        );
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_may() {
        let _ = make_room(Doors::default());
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
        assert!(limit.current.is_none_or(|current| current >= wanted), "{limit:?}");
    }
}
