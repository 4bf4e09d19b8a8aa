//! Providers differ: in the form of numbers that they take, in how many calls they let through at once, and in how
//! many may begin in a second. What reaches this one is what an organiser set.

use std::time::{Duration, Instant};

use e2e::{
    scripted::{Asked, Scripted, Step},
    volunteer::{PATIENCE, Volunteer, in_call, rings},
    world::{World, number},
};
use futures_util::future::try_join_all;
use protocol::{call::CallState, session::Desk};

struct Evening(World<Scripted>);

impl Evening {
    /// The provider rings whom it is asked for, until the caller gives up.
    async fn with(contacts: u8) -> anyhow::Result<Self> {
        let numbers = (0..contacts).map(|which| number(9, which));
        let world = World::lay()?.contacts(numbers).scripted().await?;
        world.provider.otherwise(vec![Step::Status(180)]);
        Ok(Self(world))
    }

    fn set(&self, words: &[&str]) {
        self.0.server.command(&[&["trunk", "set"], words].concat()).unwrap();
    }

    async fn volunteers(&self, count: usize) -> anyhow::Result<Vec<Volunteer>> {
        let names: Vec<String> = (0..count).map(|n| format!("Volunteer {n}")).collect();
        self.0.volunteers(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// All of them press Call at the same moment.
    async fn all_call(&self, volunteers: &[Volunteer]) -> anyhow::Result<()> {
        try_join_all(volunteers.iter().map(Volunteer::call)).await.map(drop)
    }

    async fn calls(&self, count: usize) -> Vec<Asked> {
        let come = |asked: &[Asked]| asked.len() >= count;
        self.0.provider.until(&format!("{count} calls"), PATIENCE, come).await.unwrap()
    }
}

/// Gives the call up, and waits for the next card.
async fn give_up(volunteer: &Volunteer) -> anyhow::Result<()> {
    let card = volunteer.card();
    volunteer.hang_up().await?;
    volunteer.next_card(card.as_ref()).await.map(drop)
}

fn is_in_line(desk: &Desk) -> bool {
    in_call(desk).is_some_and(|call| matches!(call.state, CallState::InLine { .. }))
}

/// The most calls that the provider had at once.
fn most_at_once(asked: &[Asked]) -> usize {
    let open_at = |at: Instant| {
        asked.iter().filter(|call| call.invited <= at && call.cancelled.is_none_or(|over| over > at)).count()
    };
    asked.iter().map(|call| open_at(call.invited)).max().unwrap_or_default()
}

/// The most calls that began within a second.
fn most_in_a_second(asked: &[Asked]) -> usize {
    let within = |from: Instant| {
        let until = from + Duration::from_secs(1);
        asked.iter().filter(|call| call.invited >= from && call.invited < until).count()
    };
    asked.iter().map(|call| within(call.invited)).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_gets_numbers_and_caller_id_in_the_form_it_wants() {
    let evening = Evening::with(4).await.unwrap();
    let volunteers = evening.volunteers(1).await.unwrap();
    let [maya] = volunteers.as_slice() else { panic!("one") };
    let forms: [(&[&str], &str); 4] = [
        (&["--caller-id-form", "e164-no-plus"], "+447700900"),
        (&["--number-form", "e164-no-plus"], "447700900"),
        (&["--number-form", "national"], "07700900"),
        // A # cannot stand in a SIP address: Asterisk escapes it, and the provider reads it as it was set.
        (&["--number-form", "e164-no-plus", "--prefix", "9#00"], "9%2300447700900"),
    ];
    for (calls, (words, number)) in (1..).zip(forms) {
        evening.set(words);
        maya.call().await.unwrap();
        maya.until("the ringing", rings).await.unwrap();
        let asked = evening.calls(calls).await.pop().unwrap();
        assert_eq!(asked.number.len(), number.len() + 3, "{words:?}: {}", asked.number);
        assert!(asked.number.starts_with(number), "{words:?}: {}", asked.number);
        assert_eq!((asked.from.as_str(), asked.asserted.as_deref()), ("442079460000", Some("442079460000")));
        if calls < forms.len() {
            give_up(maya).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_are_on_the_trunk_at_once_and_no_more() {
    let evening = Evening::with(12).await.unwrap();
    let volunteers = evening.volunteers(4).await.unwrap();
    evening.all_call(&volunteers).await.unwrap();
    assert_eq!(most_at_once(&evening.calls(4).await), 4, "without a limit, so the test can fail");
    try_join_all(volunteers.iter().map(give_up)).await.unwrap();

    evening.set(&["--channels", "2"]);
    evening.all_call(&volunteers).await.unwrap();
    let mut waiting = Vec::new();
    for volunteer in &volunteers {
        let told =
            volunteer.until("ringing, or in line", |desk| rings(desk) || is_in_line(desk)).await.unwrap();
        if is_in_line(&told) {
            waiting.push(volunteer);
        }
    }
    assert_eq!((waiting.len(), evening.0.provider.asked().len()), (2, 6));
    let status = evening.0.server.command(&["trunk", "show"]).unwrap();
    assert!(status.contains("2 now, 2 in line for a place; at most 2 at once"), "{status}");

    // One of the two in line gives up: nobody is rung for them, and they keep the card.
    let gives_up = waiting.pop().unwrap();
    let card = gives_up.card();
    gives_up.hang_up().await.unwrap();
    assert_eq!(gives_up.card(), card);
    // One who rings gives up: the other's turn has come.
    let ringing =
        volunteers.iter().find(|volunteer| volunteer.desk().is_ok_and(|desk| rings(&desk))).unwrap();
    give_up(ringing).await.unwrap();
    waiting.pop().unwrap().until("the ringing", rings).await.unwrap();
    let asked = evening.calls(7).await;
    assert_eq!((asked.len(), most_at_once(&asked[4..])), (7, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_begin_in_a_second_and_no_more() {
    const LIMIT: usize = 2;
    let evening = Evening::with(18).await.unwrap();
    let volunteers = evening.volunteers(6).await.unwrap();
    evening.all_call(&volunteers).await.unwrap();
    let freely = evening.calls(6).await;
    assert!(most_in_a_second(&freely) > LIMIT, "without a limit, so the test can fail");
    try_join_all(volunteers.iter().map(give_up)).await.unwrap();

    // Long silence after the INVITE: it is what begins that counts, not what rings.
    evening.0.provider.otherwise(vec![Step::Status(100)]);
    evening.set(&["--calls-per-second", &LIMIT.to_string()]);
    evening.all_call(&volunteers).await.unwrap();
    let asked = evening.calls(12).await;
    let limited = &asked[6..];
    assert_eq!((limited.len(), most_in_a_second(limited)), (6, LIMIT));
    let lasted = limited[5].invited - limited[0].invited;
    assert!(lasted < Duration::from_secs(4), "nobody waits much longer than the limit asks: {lasted:?}");
}
