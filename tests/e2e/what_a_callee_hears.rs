//! A callee whose volunteer is lost hears that somebody will be back, again and again, and at last an apology: from
//! the node's own recordings, as the provider's Asterisk received them.

use std::time::Duration;

use e2e::{
    faults::Person,
    listening::{self, Found, HEARD},
    sound::{Sentence, Sound},
    volunteer::press,
    witness::Witness,
    world::{World, number},
};
use protocol::{
    call::HELD_FOR_MS,
    ids::AttemptId,
    line::Line,
    outcome::{Outcome, WrittenBy},
    session::{Desk, Session},
};
use serde_json::Value;

/// An app that was killed is missed within four seconds, and the callee waits one more in silence.
const ONE_MOMENT_WITHIN: Duration = Duration::from_secs(8);
/// Held, with what the server takes to miss the app, and the apology.
const APOLOGY_WITHIN: Duration = Duration::from_millis(HELD_FOR_MS.unsigned_abs() + 12_000);

struct Scene<'a> {
    world: &'a World,
    witness: &'a Witness,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_whose_volunteer_is_lost_hears_one_moment_and_at_last_an_apology() {
    let (short, long) = (number(0, 31), number(0, 32));
    let world = World::with(&[short.clone(), long.clone()]).await.unwrap();
    let witness = Witness::of(&world.node).await.unwrap();
    let voice = |name: &str| {
        // Where the node's Asterisk looks for what the server has it play.
        Sound::read(&world.folder.path().join(format!("node/data/sounds/en/ringround/{name}.wav"))).unwrap()
    };
    let (one_moment, apology) = (voice("one-moment"), voice("line-lost"));
    let said = Sentence::say(fastrand::u64(..)).unwrap().sound.part(0, 2_500);
    let scene = Scene { world: &world, witness: &witness };

    let mut maya = Person::join(&world.server, "Maya").await.unwrap();
    assert_eq!(maya.next_card().await.unwrap().name, "Callee 031");
    let mut noor = Person::join(&world.server, "Noor").await.unwrap();
    assert_eq!(noor.next_card().await.unwrap().name, "Callee 032");
    tokio::join!(scene.a_moment(&mut maya, &said), scene.for_good(&mut noor));

    let records = world.provider.records();
    let arrivals = records.arrivals().unwrap();
    assert_eq!(records.rung_twice().unwrap(), Vec::<String>::new());
    let heard = |number: &str| {
        records.heard(arrivals.iter().find(|arrival| arrival.number == number).unwrap()).unwrap()
    };
    let (short_heard, long_heard) = (heard(&short), heard(&long));
    let moment = is_heard("one moment", &one_moment, &short_heard);
    let back = is_heard("the volunteer who is back", &said, &short_heard);
    assert!(back.at_ms > moment.at_ms, "{moment:?}, {back:?}");
    is_not_heard("an apology to a callee who was called back to", &apology, &short_heard);

    let first = is_heard("one moment", &one_moment, &long_heard);
    let sorry = is_heard("the apology", &apology, &long_heard);
    assert!(sorry.at_ms > first.at_ms, "{first:?}, {sorry:?}");
    // Repeated: with the best place cut out, another is there.
    let mut rest = long_heard.clone();
    let at = |ms: i64| usize::try_from(ms.max(0)).unwrap() * rest.rate as usize / 1_000;
    let cut =
        at(first.at_ms)..at(first.at_ms + one_moment.milliseconds() as i64).min(long_heard.samples.len());
    rest.samples[cut].fill(0);
    is_heard("one moment, repeated", &one_moment, &rest);
    eprintln!("moment {moment:?}, back {back:?}; first {first:?}, sorry {sorry:?}");
}

impl Scene<'_> {
    /// Away until the callee was told, then back in the same call.
    async fn a_moment(&self, person: &mut Person, said: &Sound) {
        let attempt = person.app().unwrap().call_and_talk().await.unwrap();
        person.kill_app();
        self.played(attempt, "one-moment", ONE_MOMENT_WITHIN).await;
        person.start_app(&self.world.server).await.unwrap();
        let app = person.app().unwrap();
        app.open_line().await.unwrap();
        let same_call = |desk: &Desk| {
            desk.line == Line::Up
                && matches!(&desk.session, Session::Talking { call, .. } if call.attempt_id == attempt)
        };
        app.until("the same call, with a line", same_call).await.unwrap();
        app.handset.say(said);
        // There is no event of a sentence's end.
        tokio::time::sleep(Duration::from_millis(said.milliseconds() as u64 + 800)).await;
        app.hang_up().await.unwrap();
        app.outcome(Outcome::Reached).await.unwrap();
        self.is(attempt, app, Outcome::Reached, WrittenBy::Volunteer, &number(0, 31)).await;
    }

    /// Away until the server has ended the call.
    async fn for_good(&self, person: &mut Person) {
        let attempt = person.app().unwrap().call_and_talk().await.unwrap();
        person.kill_app();
        self.played(attempt, "line-lost", APOLOGY_WITHIN).await;
        let ended = |event: &Value| {
            event["type"] == "ChannelDestroyed" && event["channel"]["id"] == attempt.to_string()
        };
        let after_it = Duration::from_secs(2);
        self.witness.until("the end of the call after the apology", after_it, ended).await.unwrap();
        person.start_app(&self.world.server).await.unwrap();
        let app = person.app().unwrap();
        self.is(attempt, app, Outcome::Unknown, WrittenBy::Server, &number(0, 32)).await;
        // Still editable.
        let correction = press(attempt, Outcome::Callback);
        app.deliver(&correction, Duration::from_secs(5)).await.unwrap();
        self.is(attempt, app, Outcome::Callback, WrittenBy::Volunteer, &number(0, 32)).await;
    }

    /// Waits until an announcement was played to its end.
    async fn played(&self, attempt: AttemptId, what: &str, patience: Duration) {
        let wanted = |event: &Value| {
            event["type"] == "PlaybackFinished"
                && event["playback"]["target_uri"] == format!("channel:{attempt}")
                && event["playback"]["media_uri"] == format!("sound:ringround/{what}")
        };
        let end = self.witness.until(what, patience, wanted).await.unwrap();
        assert_eq!(end["playback"]["state"], "done", "{end}");
    }

    /// The volunteer and the organiser read it.
    async fn is(
        &self,
        attempt: AttemptId,
        app: &e2e::volunteer::Volunteer,
        outcome: Outcome,
        by: WrittenBy,
        number: &str,
    ) {
        let shown = |desk: &Desk| {
            desk.last_outcome
                .as_ref()
                .is_some_and(|last| (last.attempt_id, last.outcome, last.by) == (attempt, outcome, by))
        };
        app.until(outcome.word(), shown).await.unwrap();
        assert_eq!(self.world.server.outcomes().unwrap()[number], outcome.word());
    }
}

fn is_heard(what: &str, said: &Sound, heard: &Sound) -> Found {
    let found = listening::find(said, heard);
    assert!(found.correlation >= HEARD, "the callee did not hear {what}: {found:?}");
    found
}

fn is_not_heard(what: &str, said: &Sound, heard: &Sound) {
    let found = listening::find(said, heard);
    assert!(found.correlation < HEARD, "{what}: {found:?}");
}
