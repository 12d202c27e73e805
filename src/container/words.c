#include "container/words.h"

#include "base/cleanup.h"

const char *const words_adjectives[] = {
    "agile",      "alpine",   "ancient",  "arctic", "bold",    "brave",    "bright",  "brisk",
    "calm",       "careful",  "cheerful", "clear",  "clever",  "cold",     "cool",    "crisp",
    "curious",    "daring",   "deep",     "eager",  "early",   "earnest",  "elegant", "faithful",
    "fearless",   "festive",  "fine",     "frosty", "frozen",  "gentle",   "glacial", "gleaming",
    "graceful",   "grand",    "happy",    "hardy",  "honest",  "icy",      "jolly",   "keen",
    "kind",       "lively",   "lofty",    "lucid",  "merry",   "mild",     "modest",  "nimble",
    "noble",      "northern", "patient",  "placid", "plucky",  "polar",    "polite",  "proud",
    "quick",      "quiet",    "rapid",    "serene", "sharp",   "silent",   "silver",  "sincere",
    "snowy",      "solid",    "steady",   "still",  "sturdy",  "sunny",    "swift",   "tender",
    "thoughtful", "tidy",     "tranquil", "upbeat", "valiant", "vigilant", "vivid",   "warm",
    "white",      "windy",    "winter",   "wise",   "witty",   "young",    "zealous",
};
const size_t words_adjective_count = ARRAY_LEN(words_adjectives);

const char *const words_surnames[] = {
    "abel",        "agassiz",    "ampere",       "archimedes",   "babbage",    "banach",
    "becquerel",   "bernoulli",  "bohr",         "boltzmann",    "boole",      "bragg",
    "cantor",      "carson",     "cauchy",       "cavendish",    "celsius",    "chandra",
    "church",      "clausius",   "cohen",        "copernicus",   "coulomb",    "curie",
    "darwin",      "davy",       "descartes",    "dijkstra",     "dirac",      "einstein",
    "erdos",       "euclid",     "euler",        "faraday",      "fermat",     "fermi",
    "feynman",     "fourier",    "franklin",     "galileo",      "galois",     "gauss",
    "germain",     "goedel",     "goodall",      "hamilton",     "heisenberg", "hermite",
    "herschel",    "hertz",      "hilbert",      "hodgkin",      "hopper",     "hubble",
    "humboldt",    "hypatia",    "jacobi",       "joule",        "kelvin",     "kepler",
    "kirchhoff",   "knuth",      "kovalevskaya", "lagrange",     "lamarr",     "laplace",
    "lavoisier",   "leavitt",    "leibniz",      "liskov",       "lorentz",    "lovelace",
    "maxwell",     "mcclintock", "meitner",      "mendel",       "mendeleev",  "minkowski",
    "nansen",      "newton",     "nightingale",  "noether",      "pascal",     "pasteur",
    "pauli",       "payne",      "planck",       "poincare",     "ramanujan",  "riemann",
    "ritchie",     "roentgen",   "rutherford",   "schroedinger", "shannon",    "somerville",
    "tesla",       "thompson",   "torvalds",     "turing",       "volta",      "wegener",
    "weierstrass", "wilson",     "wu",
};
const size_t words_surname_count = ARRAY_LEN(words_surnames);
