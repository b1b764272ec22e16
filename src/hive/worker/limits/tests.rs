//! Who may start when, with a clock that the test moves.

use super::*;
use crate::config::Rate;
use std::time::Duration;

fn at(millis: i64) -> Timestamp {
    let start = Timestamp::from_unix_seconds(1_000_000).unwrap();
    start.after(Duration::from_millis(millis as u64))
}

fn limit(concurrency: Option<u64>, rate: Option<&str>) -> ProcessorLimit {
    ProcessorLimit::new(Limit {
        concurrency,
        rate: rate.map(|rate| rate.parse::<Rate>().unwrap()),
    })
}

fn wakers<const N: usize>() -> [Waker; N] {
    std::array::from_fn(|_| Waker::default())
}

#[test]
fn who_came_first_begins_first() {
    let mut limit = limit(Some(1), None);
    let [a, b, c] = wakers();
    assert_eq!(limit.ask(&a, true, at(0)), Admission::Start);
    assert_eq!(limit.ask(&b, true, at(0)), Admission::Wait(None));
    assert_eq!(limit.ask(&c, true, at(0)), Admission::Wait(None));
    limit.running -= 1;
    // The one behind asks first, and someone comes just now.
    assert_eq!(limit.ask(&c, true, at(1)), Admission::Wait(None));
    assert!(matches!(
        limit.ask(&Waker::default(), false, at(1)),
        Admission::PutBack(_)
    ));
    assert_eq!(limit.ask(&b, true, at(1)), Admission::Start);
    limit.running -= 1;
    assert_eq!(limit.ask(&c, true, at(1)), Admission::Start);
}

#[test]
fn the_first_in_line_waits_for_the_token() {
    let mut limit = limit(None, Some("1/s"));
    let [a, b, c] = wakers();
    assert_eq!(limit.ask(&a, true, at(0)), Admission::Start);
    assert_eq!(limit.ask(&b, true, at(10)), Admission::Wait(Some(at(1000))));
    assert_eq!(limit.ask(&c, true, at(20)), Admission::Wait(None));
    assert_eq!(
        limit.ask(&b, true, at(999)),
        Admission::Wait(Some(at(1000)))
    );
    assert_eq!(limit.ask(&b, true, at(1000)), Admission::Start);
    assert_eq!(
        limit.ask(&c, true, at(1000)),
        Admission::Wait(Some(at(2000)))
    );
}

#[test]
fn a_start_takes_no_token_before_there_is_a_place() {
    let mut limit = limit(Some(1), Some("2/m"));
    let [a, b] = wakers();
    assert_eq!(limit.ask(&a, true, at(0)), Admission::Start);
    assert_eq!(limit.ask(&b, true, at(0)), Admission::Wait(None));
    limit.running -= 1;
    assert_eq!(limit.ask(&b, true, at(5)), Admission::Start);
    limit.running -= 1;
    let third = limit.ask(&Waker::default(), true, at(10));
    assert_eq!(third, Admission::Wait(Some(at(60_000))));
}

#[test]
fn a_job_without_room_to_wait_goes_back_for_longer_the_slower_its_processor_is() {
    let mut busy = limit(Some(1), None);
    let [a, b] = wakers();
    assert_eq!(busy.ask(&a, false, at(0)), Admission::Start);
    for (now, back) in [(1, 51), (400, 800), (60_000, 65_000)] {
        assert_eq!(busy.ask(&b, false, at(now)), Admission::PutBack(at(back)));
    }
    let mut rated = limit(None, Some("1/s"));
    assert_eq!(rated.ask(&a, false, at(0)), Admission::Start);
    assert_eq!(rated.ask(&b, false, at(300)), Admission::PutBack(at(1000)));
    let mut rare = limit(None, Some("1/h"));
    assert_eq!(rare.ask(&a, false, at(0)), Admission::Start);
    assert_eq!(rare.ask(&b, false, at(300)), Admission::PutBack(at(5300)));
}

#[test]
fn jobs_of_a_held_processor_go_back_until_then_and_take_no_token() {
    let mut limit = limit(Some(1), Some("1/m"));
    let [a, b] = wakers();
    assert_eq!(limit.ask(&a, true, at(0)), Admission::Start);
    assert_eq!(limit.ask(&b, true, at(0)), Admission::Wait(None));
    limit.held_until = Some(at(90_000));
    limit.running -= 1;
    assert_eq!(
        limit.ask(&b, true, at(70_000)),
        Admission::PutBack(at(90_000))
    );
    assert!(limit.queue.is_empty());
    assert_eq!(limit.ask(&b, true, at(90_000)), Admission::Start);
}

#[tokio::test]
async fn whoever_leaves_the_line_or_a_place_lets_the_next_one_in() {
    let limits = ProcessorLimits {
        most_waiting: 2,
        closed: CancellationToken::new(),
        limits: Mutex::new(LimitsByProcessor {
            by_processor: HashMap::from([("a".to_owned(), limit(Some(1), None))]),
            clock: Clock::trusted(Reading::now()),
        }),
    };
    let stop = CancellationToken::new();
    let LimitDecision::Open(place) = limits.enter("a", &stop).await else {
        panic!("no place for the first");
    };
    let impatient = CancellationToken::new();
    let first = limits.enter("a", &impatient);
    let second = limits.enter("a", &stop);
    let third = async {
        tokio::task::yield_now().await;
        let third = limits.enter("a", &stop).await;
        assert!(matches!(third, LimitDecision::Full(_)));
        impatient.cancel();
        drop(place);
    };
    let (first, second, ()) = tokio::join!(first, second, third);
    assert!(matches!(first, LimitDecision::Stopped));
    assert!(matches!(second, LimitDecision::Open(_)));
    let waits = limits.enter("a", &stop);
    let (waits, ()) = tokio::join!(waits, async { limits.close() });
    assert!(matches!(waits, LimitDecision::Closed));
    drop(second);
    assert!(limits.limits().by_processor["a"].queue.is_empty());
    assert_eq!(limits.limits().by_processor["a"].running, 0);
}
