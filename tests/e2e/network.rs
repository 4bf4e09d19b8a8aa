//! The simulated network itself: what the other tests stand on.

use std::{collections::HashMap, time::Duration};

use e2e::{
    callee::{Callee, Manner},
    child::poll,
    listening::{self, HEARD},
    networks::Networks,
    pbx::{Node, Provider},
    sound::{Sentence, Sound},
    tones,
    volunteer::Volunteer,
    witness::Witness,
    world::{World, number},
};
use futures_util::future::join_all;
use protocol::{
    call::CallState,
    contact::Card,
    events::{Change, LiveEvent},
    ids::AttemptId,
    outcome::{Outcome, WrittenBy},
    session::{Desk, Session, Waiting},
};
use tokio::sync::Mutex;

#[tokio::test]
async fn both_asterisks_come_up_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let networks = Networks::lay().unwrap();
    let provider = Provider::start(&networks, folder.path(), None).await.unwrap();
    let mut node = Node::start(&networks, folder.path(), provider.address()).await.unwrap();
    assert_eq!(node.channels().await.unwrap(), Vec::<String>::new());
    node.kill();
    assert!(node.channels().await.is_err());
    node.start_again().await.unwrap();
    let id = node.id().unwrap();
    drop((node, provider));
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
}

/// A kind of callee, by the digit of their number: what the volunteer is told, what the node is told, what the
/// provider writes down.
struct Kind {
    behaviour: u8,
    told: &'static str,
    outcome: (Outcome, WrittenBy),
    dial: &'static str,
    cause: u64,
    disposition: &'static str,
}

use Outcome::{Busy, Failed, Machine, NoAnswer, Reached, Refused};
use WrittenBy::{Network, Volunteer as Pressed};

const ANSWERED_AND_LEFT: &str = "dialling, ringing, talking, ended by Volunteer";

/// The longest first. So is the list: what takes its time goes on beside the rest.
#[rustfmt::skip]
const KINDS: [Kind; 10] = [
    Kind { behaviour: 7, told: "dialling, the network's ringing, talking, ended by Volunteer",
        outcome: (Reached, Pressed), dial: "PROGRESS ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 5, told: ANSWERED_AND_LEFT, outcome: (Machine, Pressed), dial: "RINGING ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 0, told: ANSWERED_AND_LEFT, outcome: (Reached, Pressed), dial: "RINGING ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 6, told: ANSWERED_AND_LEFT, outcome: (Reached, Pressed), dial: "RINGING ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 9, told: ANSWERED_AND_LEFT, outcome: (Reached, Pressed), dial: "RINGING ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 4, told: "dialling, ringing, talking, ended by Callee",
        outcome: (Refused, Pressed), dial: "RINGING ANSWER", cause: 16, disposition: "ANSWERED" },
    Kind { behaviour: 2, told: "dialling, ringing", outcome: (NoAnswer, Pressed), dial: "RINGING", cause: 16, disposition: "NO ANSWER" },
    Kind { behaviour: 1, told: "dialling", outcome: (Busy, Network), dial: "", cause: 17, disposition: "BUSY" },
    Kind { behaviour: 3, told: "dialling", outcome: (Failed, Network), dial: "", cause: 1, disposition: "NO ANSWER" },
    Kind { behaviour: 8, told: "dialling", outcome: (Failed, Network), dial: "", cause: 21, disposition: "NO ANSWER" },
];

/// What is said in these calls.
struct Voices {
    hello: Sound,
    greeting: Sound,
    harness: Sound,
    volunteer: Sound,
}

/// The parts of a call that its volunteer has a hand in.
struct Scene<'a> {
    volunteer: &'a Volunteer,
    voices: &'a Voices,
    witness: &'a Witness,
    callee: &'a Mutex<Callee>,
}

struct Came {
    attempt: AttemptId,
    told: Vec<CallState>,
    outcome: (Outcome, WrittenBy),
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_callee_does_as_its_number_says_and_its_volunteer_is_told() {
    let sentence = |seed| Sentence::say(seed).unwrap().sound.part(0, 2_500);
    let voices = Voices {
        hello: sentence(201),
        greeting: sentence(202),
        harness: sentence(203),
        volunteer: sentence(204),
    };
    let manner = Manner {
        rings_for: Duration::from_secs(1),
        says: voices.harness.clone().then(&Sound::silence(8_000, 1_000)),
        rings_off_after: None,
    };
    let numbers: Vec<String> = KINDS.iter().map(|kind| number(kind.behaviour, 20)).collect();
    let (world, callee) = World::with_callee(&numbers, manner).await.unwrap();
    world.provider.says(&voices.hello).unwrap();
    let spoken = world.folder.path().join("provider/voices");
    voices.greeting.at_rate(8_000).write(&spoken.join("voicemail.wav")).unwrap();
    tones::tone(8_000, 1_000.0, 0.3, 500).write(&spoken.join("beep.wav")).unwrap();
    let witness = Witness::of(&world.node).await.unwrap();

    let callee = Mutex::new(callee);
    let people = join_all(["Maya", "Noor", "Tom"].map(|name| world.volunteer(name))).await;
    let people: Vec<Volunteer> = people.into_iter().map(Result::unwrap).collect();
    let calls = join_all(people.iter().map(|volunteer| {
        call_everyone(Scene { volunteer, voices: &voices, witness: &witness, callee: &callee })
    }));
    let came: HashMap<u8, Came> = calls.await.into_iter().flatten().collect();

    let records = world.provider.records();
    let over = || async { records.calls().is_ok_and(|calls| calls.len() >= KINDS.len()) };
    poll("the provider's record of each call", Duration::from_secs(5), over).await.unwrap();
    let (arrivals, calls) = (records.arrivals().unwrap(), records.calls().unwrap());
    assert_eq!((arrivals.len(), calls.len()), (KINDS.len(), KINDS.len()), "each is rung once: {arrivals:?}");
    for arrival in &arrivals {
        assert_eq!(arrival.caller_id, "+442079460000", "{arrival:?}");
    }
    let came_to = |kind: &Kind| {
        let Came { attempt, told, outcome } = &came[&kind.behaviour];
        let (dial, cause) = at_the_node(&witness, *attempt);
        let arrival = arrivals.iter().find(|arrival| arrival.number == number(kind.behaviour, 20));
        let call =
            calls.iter().find(|call| arrival.is_some_and(|arrival| call.call == arrival.call)).unwrap();
        assert_eq!(call.number, number(kind.behaviour, 20));
        row(kind.behaviour, &words(told), *outcome, &dial, cause, &call.disposition)
    };
    let expected =
        |kind: &Kind| row(kind.behaviour, kind.told, kind.outcome, kind.dial, kind.cause, kind.disposition);
    assert_eq!(KINDS.iter().map(came_to).collect::<Vec<_>>(), KINDS.iter().map(expected).collect::<Vec<_>>());
    let rings_off = calls.iter().find(|call| call.number == number(4, 20)).unwrap();
    assert!((1..=2).contains(&rings_off.talked_s), "{rings_off:?}");
    // 7nn answers at 20 s, after ringing of the network's own.
    let late = came[&7].told.iter().find_map(|state| match state {
        CallState::Talking { since_ms } => Some(*since_ms),
        CallState::InLine { .. }
        | CallState::Dialling { .. }
        | CallState::Ringing { .. }
        | CallState::Ended { .. } => None,
    });
    let rang_ms = late.unwrap() - arrivals.iter().find(|a| a.number == number(7, 20)).unwrap().at_ms;
    assert!((19_500..22_000).contains(&rang_ms), "7nn answered after {rang_ms} ms");
    // What the machine recorded after its beep.
    let machine = arrivals.iter().find(|a| a.number == number(5, 20)).unwrap();
    let recorded = listening::find(&voices.volunteer, &records.heard(machine).unwrap());
    assert!(recorded.correlation >= HEARD, "the machine did not record the volunteer: {recorded:?}");
    let outcomes = world.server.outcomes().unwrap();
    for kind in &KINDS {
        assert_eq!(outcomes[&number(kind.behaviour, 20)], kind.outcome.0.word());
    }
}

/// Calls whoever comes, until nobody is left.
async fn call_everyone(scene: Scene<'_>) -> Vec<(u8, Came)> {
    let mut came = Vec::new();
    let volunteer = scene.volunteer;
    volunteer.start().await.unwrap();
    let mut before: Option<Card> = None;
    loop {
        let goes_on = |desk: &Desk| match &desk.session {
            Session::Ready { card } => before.as_ref().is_none_or(|before| before.lease_id != card.lease_id),
            Session::Waiting { why } => matches!(why, Waiting::NobodyLeft { .. }),
            Session::Ended
            | Session::Dialling { .. }
            | Session::Talking { .. }
            | Session::WrapUp { .. }
            | Session::Paused { .. } => false,
        };
        let desk = volunteer.until("the next card, or the end of the list", goes_on).await.unwrap();
        let Session::Ready { card } = desk.session else { return came };
        // Named after the last three digits.
        let behaviour = card.name.chars().rev().nth(2).and_then(|digit| digit.to_digit(10)).unwrap();
        let behaviour = u8::try_from(behaviour).unwrap();
        let attempt = scene.call(behaviour).await;
        let over = |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt);
        let last = volunteer.until("the outcome", over).await.unwrap().last_outcome.unwrap();
        let told = told(volunteer, attempt);
        came.push((behaviour, Came { attempt, told, outcome: (last.outcome, last.by) }));
        before = Some(card);
    }
}

impl Scene<'_> {
    /// One call, from Call to the key.
    async fn call(&self, behaviour: u8) -> AttemptId {
        let ear = self.volunteer.handset.mark();
        let heard = || self.volunteer.handset.heard_since(ear);
        let attempt = self.volunteer.call_in_turn().await.unwrap();
        match behaviour {
            0 => {
                self.talk().await;
                self.hears("0nn", &self.voices.hello, heard).await;
                self.leaves_with(Reached).await;
            }
            1 | 3 | 8 => {}
            2 => {
                self.volunteer.until("ringing", e2e::volunteer::rings).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(heard().level() < 0.001, "2nn rings without media, and there is {}", heard().level());
                self.volunteer.hang_up().await.unwrap();
            }
            4 => {
                self.talk().await;
                let over = |desk: &Desk| matches!(desk.session, Session::WrapUp { .. });
                self.volunteer.until("the callee to ring off", over).await.unwrap();
                self.volunteer.outcome(Refused).await.unwrap();
            }
            5 => {
                self.talk().await;
                let beeps = || async { tones::loudest(&heard(), 1_000.0) > 0.1 };
                poll("the machine's beep", Duration::from_secs(10), beeps).await.unwrap();
                let greeting = listening::find(&self.voices.greeting, &heard());
                assert!(greeting.correlation >= HEARD, "the machine's greeting: {greeting:?}");
                self.volunteer.handset.say(&self.voices.volunteer);
                // There is no event of a sentence's end.
                tokio::time::sleep(Duration::from_millis(3_500)).await;
                self.leaves_with(Machine).await;
            }
            6 => {
                self.talk().await;
                let pressed = |event: &serde_json::Value| {
                    event["type"] == "ChannelDtmfReceived"
                        && event["channel"]["id"] == attempt.to_string()
                        && event["digit"] == "1"
                };
                self.witness.until("the key 1", Duration::from_secs(10), pressed).await.unwrap();
                self.hears("6nn", &self.voices.hello, heard).await;
                self.leaves_with(Reached).await;
            }
            7 => {
                let rings = |desk: &Desk| e2e::volunteer::rings(desk);
                self.volunteer.until("the network's ringing", rings).await.unwrap();
                // This handset never rings by itself: what is in the ear comes from the network.
                let tone =
                    || async { [400.0, 450.0].iter().all(|f| tones::loudest(&heard(), *f) > tones::THERE) };
                poll("the network's tone in the ear", Duration::from_secs(5), tone).await.unwrap();
                let desk = self.volunteer.desk().unwrap();
                assert!(e2e::volunteer::rings(&desk), "the tone came before the answer: {desk:?}");
                let talks = |desk: &Desk| matches!(desk.session, Session::Talking { .. });
                let late = Duration::from_secs(25);
                self.volunteer.until_within("the late answer", late, talks).await.unwrap();
                self.hears("7nn", &self.voices.hello, heard).await;
                self.leaves_with(Reached).await;
            }
            _ => {
                let mut callee = self.callee.lock().await;
                let incoming = callee.next(Duration::from_secs(5)).await.unwrap();
                assert_eq!(incoming.number, number(9, 20));
                self.talk().await;
                self.hears("9nn", &self.voices.harness, heard).await;
                let hears = || async { incoming.packets_heard() > 50 };
                poll("sound at the harness's callee", Duration::from_secs(5), hears).await.unwrap();
                self.leaves_with(Reached).await;
            }
        }
        attempt
    }

    async fn talk(&self) {
        let talks = |desk: &Desk| matches!(desk.session, Session::Talking { .. });
        self.volunteer.until("the answer", talks).await.unwrap();
    }

    async fn hears(&self, who: &str, sentence: &Sound, heard: impl Fn() -> Sound) {
        tokio::time::sleep(Duration::from_millis(sentence.milliseconds() as u64 + 800)).await;
        let found = listening::find(sentence, &heard());
        assert!(found.correlation >= HEARD, "{who} was not heard: {found:?}");
    }

    async fn leaves_with(&self, outcome: Outcome) {
        self.volunteer.hang_up().await.unwrap();
        self.volunteer.outcome(outcome).await.unwrap();
    }
}

/// What an app was told of one call, in order.
fn told(volunteer: &Volunteer, attempt: AttemptId) -> Vec<CallState> {
    let mut states: Vec<CallState> = Vec::new();
    for frame in volunteer.live.text().lines() {
        let LiveEvent::Change { change: Change::Session(session), .. } = serde_json::from_str(frame).unwrap()
        else {
            continue;
        };
        if let Some(call) = session.call().filter(|call| call.attempt_id == attempt) {
            states.push(call.state);
        }
    }
    states.dedup();
    states
}

fn words(told: &[CallState]) -> String {
    let word = |state: &CallState| match state {
        CallState::InLine { .. } => "in line".to_owned(),
        CallState::Dialling { .. } => "dialling".to_owned(),
        CallState::Ringing { early_media: false, .. } => "ringing".to_owned(),
        CallState::Ringing { early_media: true, .. } => "the network's ringing".to_owned(),
        CallState::Talking { .. } => "talking".to_owned(),
        CallState::Ended { by, .. } => format!("ended by {by:?}"),
    };
    let mut words: Vec<String> = told.iter().map(word).collect();
    // A press that comes soon after the last call is dialled a moment later, and since then.
    words.dedup();
    words.join(", ")
}

fn row(
    behaviour: u8,
    told: &str,
    outcome: (Outcome, WrittenBy),
    dial: &str,
    cause: u64,
    disposition: &str,
) -> String {
    format!("{behaviour}nn: {told}; {outcome:?}; {dial} {cause}; {disposition}")
}

/// What Asterisk told of a callee's channel: how the dialling went, and the Q.850 cause of its end.
fn at_the_node(witness: &Witness, attempt: AttemptId) -> (String, u64) {
    let channel = attempt.to_string();
    let dials = witness.all(|event| event["type"] == "Dial" && event["peer"]["id"] == channel.as_str());
    let dials: Vec<&str> = dials.iter().filter_map(|dial| dial["dialstatus"].as_str()).collect();
    let ends = witness
        .all(|event| event["type"] == "ChannelDestroyed" && event["channel"]["id"] == channel.as_str());
    let cause = ends.first().and_then(|end| end["cause"].as_u64()).unwrap_or_default();
    (dials.into_iter().filter(|status| !status.is_empty()).collect::<Vec<_>>().join(" "), cause)
}
