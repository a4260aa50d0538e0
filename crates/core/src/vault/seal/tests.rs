//! What the sealed format promises. Each promise is a check over any pair of functions that seal and open
//! (`checks`), run on ours, on a second implementation (`independent`), and on broken variants of that, which
//! it has to find.

mod basics;
mod checks;
mod collision;
mod counts;
mod example;
mod figures;
mod golden;
mod independent;
mod known_answers;
mod promises;
mod support;
mod wycheproof;
