//! What the seed published.

/// The numbers of clients of the seed.
pub(super) const CLIENTS: [usize; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 2500, 3000];

/// What the seed's author measured: webbench -t 30, the server on one single-core machine and webbench on another,
/// a backlog of 5; pages per minute. Source: seed 002, version history, v0.0, test 1.
pub(super) const PUBLISHED: [(&str, [u32; 13]); 3] = [
    (
        "serial",
        [
            69_324, 115_092, 123_714, 30_444, 36_618, 25_284, 25_110, 31_890, 19_554, 19_368, 24_042, 31_104,
            27_654,
        ],
    ),
    (
        "1 process",
        [
            57_846, 78_360, 98_400, 97_386, 84_024, 85_140, 97_662, 96_924, 93_600, 92_520, 94_212, 92_124,
            91_548,
        ],
    ),
    (
        "2 processes",
        [
            68_556, 94_242, 103_566, 99_018, 100_194, 105_462, 97_344, 102_924, 98_052, 109_104, 111_108,
            114_114, 114_900,
        ],
    ),
];
