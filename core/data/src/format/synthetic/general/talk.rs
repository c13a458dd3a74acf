//! Small talk: greetings, wishes, facts, short stories. These instructions have no input to work on.

use super::super::draw::Draw;
use super::super::words::{
    ANIMALS, ASPECTS, BLAME, COLOURS, FRUITS, NAMES, PEOPLE, PRAISE, SIZES, THINGS, VERBS,
};
use super::{Kind, ask};

const FOODS: &[&str] =
    &["seeds", "milk", "meat", "worms", "hay", "grass", "leaves", "cheese", "honey", "sheep"];
const HOMES: &[&str] = &["nest", "house", "yard", "water", "field", "barn", "hill", "hole", "cave", "wood"];
const FRUIT_COLOURS: &[&str] = &["red", "green", "blue", "yellow", "green", "yellow", "orange", "brown"];
const WEATHER: &[&str] = &["rain", "snow", "wind", "sun", "fog", "storm"];

fn one(draw: &mut Draw, cores: &[String], output: String) -> super::Row {
    let core = &cores[draw.below(cores.len())];
    ask(draw, core, output)
}

pub(super) const KINDS: &[Kind] = &[
    Kind::near("greeting", |draw| {
        let name = draw.pick(NAMES);
        let cores = [
            format!("say hello to {name}"),
            format!("greet {name}, who comes in"),
            format!("{name} is at the door, what do you say?"),
        ];
        let end = draw.pick(&["how are you today", "come in and sit down", "it is nice to see you"]);
        one(draw, &cores, format!("hello {name}, {end}"))
    }),
    Kind::near("thanks", |draw| {
        let (name, thing) = (draw.pick(NAMES), draw.pick(THINGS));
        let cores = [
            format!("thank {name} for the {thing}"),
            format!("{name} gave you a {thing}, write a kind line"),
        ];
        let praise = draw.pick(PRAISE);
        one(draw, &cores, format!("thank you {name}, it is a {praise} {thing}"))
    }),
    Kind::near("why-like", |draw| {
        let aspect = draw.pick(ASPECTS);
        let good = draw.chance(50);
        let (like, opinion) = if good { ("like", draw.pick(PRAISE)) } else { ("hate", draw.pick(BLAME)) };
        let cores =
            [format!("why do you {like} the {aspect}?"), format!("tell me why people {like} the {aspect}")];
        one(draw, &cores, format!("I {like} the {aspect} because it is {opinion}"))
    }),
    Kind::near("nice-or-not", |draw| {
        let thing = draw.pick(&[THINGS, FRUITS].concat());
        let good = draw.chance(50);
        let opinion = if good { draw.pick(PRAISE) } else { draw.pick(BLAME) };
        let answer = if good { "we are glad and stay" } else { "we are cross and leave" };
        let cores = [
            format!("what do we do if the {thing} is {opinion}?"),
            format!("the {thing} is {opinion}, what now?"),
        ];
        one(draw, &cores, answer.to_owned())
    }),
    Kind::near("food", |draw| {
        let place = draw.below(ANIMALS.len());
        let animal = ANIMALS[place];
        let cores = [format!("what does a {animal} eat?"), format!("tell me the food of the {animal}")];
        one(draw, &cores, format!("the {animal} eats {}", FOODS[place]))
    }),
    Kind::near("home", |draw| {
        let place = draw.below(ANIMALS.len());
        let animal = ANIMALS[place];
        let cores = [format!("where does a {animal} live?"), format!("tell me the home of the {animal}")];
        one(draw, &cores, format!("the {animal} lives in the {}", HOMES[place]))
    }),
    Kind::near("fruit-colour", |draw| {
        let place = draw.below(FRUITS.len());
        let fruit = FRUITS[place];
        let cores = [format!("what colour has a {fruit}?"), format!("tell me the colour of the {fruit}")];
        one(draw, &cores, format!("the {fruit} is {}", FRUIT_COLOURS[place]))
    }),
    Kind::near("tale", |draw| {
        let (animal, size) = (draw.pick(ANIMALS), draw.pick(SIZES));
        let (thing, colour) = (draw.pick(THINGS), draw.pick(COLOURS));
        let (_, past) = VERBS[draw.below(VERBS.len())];
        let cores =
            [format!("tell a short tale of a {animal}"), format!("make up a story with a {animal} in it")];
        let end = draw.pick(&["then it went home", "then it slept", "and all was well"]);
        one(draw, &cores, format!("once there was a {size} {animal}, it {past} a {colour} {thing}, {end}"))
    }),
    Kind::near("who-are-you", |draw| {
        let cores = ["who are you?", "tell me about yourself", "what is your name?", "what can you do?"];
        let cores = cores.map(str::to_owned);
        let name = draw.pick(NAMES);
        let opening = draw.pick(&["I am a small model", "I am a friend"]);
        one(draw, &cores, format!("{opening} and I help {name}"))
    }),
    Kind::near("where-is", |draw| {
        let (thing, name) = (draw.pick(THINGS), draw.pick(NAMES));
        let place = draw.pick(HOMES);
        let cores = [
            format!("{name} left the {thing} in the {place}, where is it?"),
            format!("the {thing} of {name} is in the {place}, tell me where to look"),
        ];
        one(draw, &cores, format!("the {thing} is in the {place}"))
    }),
    Kind::far("weather", |draw| {
        let (weather, name) = (draw.pick(WEATHER), draw.pick(NAMES));
        let cores = [
            format!("{name} sees {weather} outside, what should {name} wear?"),
            format!("there will be {weather} tomorrow, help {name} to dress"),
        ];
        let wear = draw.pick(&["a coat", "warm shoes"]);
        one(draw, &cores, format!("{name} should wear {wear} in the {weather}"))
    }),
    Kind::far("advice", |draw| {
        let (name, animal) = (draw.pick(NAMES), draw.pick(ANIMALS));
        let cores = [
            format!("{name} is afraid of the {animal}, give some help"),
            format!("how can {name} make friends with a {animal}?"),
        ];
        one(draw, &cores, format!("go slowly, {name}, and be kind to the {animal}"))
    }),
    Kind::far("farewell", |draw| {
        let (name, person) = (draw.pick(NAMES), draw.pick(PEOPLE));
        let cores = [
            format!("{name} goes to bed, what do you say?"),
            format!("the {person} leaves with {name}, say some last words"),
        ];
        one(draw, &cores, format!("good night {name}, sleep well"))
    }),
    Kind::far("wish", |draw| {
        let (thing, colour) = (draw.pick(THINGS), draw.pick(COLOURS));
        let cores =
            [format!("make a wish about a {colour} {thing}"), format!("dream of a {thing} that is {colour}")];
        one(draw, &cores, format!("I wish I had a {colour} {thing}"))
    }),
    Kind::far("taste", |draw| {
        let (left, right) = (draw.pick(FRUITS), draw.pick(FRUITS));
        let name = draw.pick(NAMES);
        let cores = [
            format!("would {name} have {left}s or {right}s for lunch?"),
            format!("choose between {left}s and {right}s for {name}"),
        ];
        one(draw, &cores, format!("I think {name} would have {left}s"))
    }),
];
