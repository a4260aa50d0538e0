//! Whether the reader sees what it is there to see: everything is well, one thing is damaged, and the reader has to name
//! the promise that it breaks, and no other.

mod harm;

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::books::{Books, Check, Problem, at_rest, look, told};
use crate::installation::{Installation, Options};
use crate::keep::Kept;
use crate::load::{People, open_sessions};
use crate::notes::Notes;
use crate::rows::{damage, rows_where};
use crate::trial::{Backend, Plan, Verdict};
use harm::{DAMAGES, Damage, Harm};

/// Sessions, so many of them saved; the last of those is of somebody who is erased.
const SESSIONS: u32 = 8;
const SAVED: usize = 6;
const CHARGES: i64 = 3;

/// A small installation with some of everything, at rest, and its server stopped so that it mends nothing.
async fn healthy(plan: Plan, backend: &Backend) -> anyhow::Result<(Installation, Notes)> {
    let mut here = Installation::start(backend, Options::default()).await?;
    let people = People::of(&here);
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let sessions = open_sessions(&people, SESSIONS, plan.seed).await?;
    for (intent, session) in sessions.iter().take(SAVED) {
        let back = people.save(*intent, session).await?.context("the page is over")?;
        people.come_back(*intent, &back).await;
        people.ask_about(*intent, session, &mut dice).await;
    }
    // Nothing of the one who is erased may be under way.
    at_rest(&here, &people.notes()).await?;
    let (erased, _) = sessions.get(SAVED - 1).context("nobody to erase")?;
    let intent = people.notes().intents.get(*erased).cloned().context("no such intent")?;
    people.erase(&here.database, &intent, &mut dice).await?;
    let method = rows_where(&here.database, "payment_methods", "status = 'active'").await?;
    let method = method.first().and_then(|row| row["id"].as_str()).context("no method")?.to_owned();
    for number in 0..CHARGES {
        people.charge(&method, &format!("order-{number}"), 100 * (1000 + number), &mut dice).await?;
    }
    let found = at_rest(&here, &people.notes()).await?;
    ensure!(found.paid == usize::try_from(CHARGES)?, "{} charges were paid", found.paid);
    here.kill(0)?;
    Ok((here, people.notes()))
}

/// Every damage, one after the other; the reader names each of them, and nothing when there is none.
pub(super) async fn damages(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let (here, notes) = healthy(plan, &backend).await?;
    let problems = look(&here, &notes).await?;
    ensure!(problems.is_empty(), "without any damage: {}", told(&problems));
    let (whole, kept) = (Books::read(&here, &notes).await?, Kept::of(&here, &backend)?);
    let (mut named, mut promises, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let damages: Vec<&Damage> = DAMAGES.iter().filter(|damage| damage.is_possible(&backend)).collect();
    for Damage { what, check, harm, .. } in &damages {
        let problems = match harm {
            Harm::Books(change) => {
                let mut books = whole.clone();
                change(&mut books).with_context(|| (*what).to_owned())?;
                books.problems()
            }
            Harm::File(name, text) => {
                let file = here.folder.path().join(name);
                std::fs::write(&file, text())?;
                let problems = look(&here, &notes).await;
                std::fs::remove_file(file)?;
                problems?
            }
            Harm::Rows(statement) => {
                damage(&here.database, &of_erased(statement, &notes))
                    .await
                    .with_context(|| (*what).to_owned())?;
                let problems = look(&here, &notes).await;
                kept.put_back()?;
                problems?
            }
        };
        wrong.extend(judge(what, *check, &problems).err().map(|error| error.to_string()));
        named.insert(*check);
        promises.insert(check.promise());
    }
    ensure!(wrong.is_empty(), "{} damages are not seen as what they are: {}", wrong.len(), wrong.join(" / "));
    let unseen = |check: &&Check| {
        !named.contains(check)
            && DAMAGES.iter().all(|damage| damage.check != **check || damage.is_possible(&backend))
    };
    let unseen: Vec<&Check> = Check::ALL.iter().filter(unseen).collect();
    ensure!(unseen.is_empty(), "nothing shows that the reader sees {unseen:?}");
    // Whatever was put back is as it was.
    let problems = look(&here, &notes).await?;
    ensure!(problems.is_empty(), "after all of them: {}", told(&problems));
    let (damages, promises) = (damages.len(), promises.len());
    Ok(Verdict::Held(format!("{damages} damages to {promises} promises, each named and no other")))
}

/// One promise is broken, in the way that was meant.
fn judge(what: &str, check: Check, problems: &[Problem]) -> anyhow::Result<()> {
    let (all, expected) = (told(problems), check.promise());
    ensure!(
        problems.iter().any(|problem| problem.check == check),
        "{what}: {check:?} ({expected}) was not named, but {all}"
    );
    let other = problems.iter().find(|problem| problem.check.promise() != expected);
    ensure!(other.is_none(), "{what} breaks {expected} alone, but the reader says {all}");
    Ok(())
}

/// A statement about who was erased.
fn of_erased(statement: &str, notes: &Notes) -> String {
    let Some(erased) = notes.erased.first() else { return statement.to_owned() };
    let first = |texts: &[String]| texts.first().cloned().unwrap_or_default();
    let key = erased.wrapped_keys.first().map(hex::encode).unwrap_or_default();
    statement
        .replace("{reference}", &erased.reference)
        .replace("{session}", &erased.session)
        .replace("{fingerprint}", &first(&erased.fingerprints))
        .replace("{key}", &key)
}
