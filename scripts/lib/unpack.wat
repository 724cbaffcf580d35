;; LZMA, decompressed: a fifth smaller than what browsers decompress by themselves. In JavaScript the same takes several
;; times as long when it is cold, as it is where a page starts.
;;
;; The stream has the usual properties (lc 3, lp 0, pb 2). Whoever calls has set the 7332 probabilities at address 0, of two
;; bytes each, to 1024: they count in 2048ths. Of each kind of decision they begin at:
;;      0 match or literal, by state and position     48 repeated, by state    60 repeated which, by step and state
;;     96 repeated longer, by state and position     144 length of a match    466 length of a repetition
;;    788 distance's slot, by length    1044 its middle bits    1172 its lowest bits    1188 literals, by the byte before
(module
  (memory (export "memory") 1)
  (global $range (mut i32) (i32.const -1))
  (global $code (mut i32) (i32.const 0))
  (global $next (mut i32) (i32.const 0))

  (func $widen
    (if (i32.lt_u (global.get $range) (i32.const 0x1000000))
      (then
        (global.set $range (i32.shl (global.get $range) (i32.const 8)))
        (global.set $code
          (i32.or (i32.shl (global.get $code) (i32.const 8)) (i32.load8_u (global.get $next))))
        (global.set $next (i32.add (global.get $next) (i32.const 1))))))

  ;; One decision, by the probability of this index, which follows it.
  (func $bit (param $index i32) (result i32)
    (local $probability i32) (local $bound i32) (local $decided i32)
    (local.set $index (i32.shl (local.get $index) (i32.const 1)))
    (local.set $probability (i32.load16_u (local.get $index)))
    (local.set $bound
      (i32.mul (i32.shr_u (global.get $range) (i32.const 11)) (local.get $probability)))
    (if (i32.lt_u (global.get $code) (local.get $bound))
      (then
        (global.set $range (local.get $bound))
        (i32.store16 (local.get $index)
          (i32.add (local.get $probability)
            (i32.shr_u (i32.sub (i32.const 2048) (local.get $probability)) (i32.const 5)))))
      (else
        (global.set $range (i32.sub (global.get $range) (local.get $bound)))
        (global.set $code (i32.sub (global.get $code) (local.get $bound)))
        (i32.store16 (local.get $index)
          (i32.sub (local.get $probability) (i32.shr_u (local.get $probability) (i32.const 5))))
        (local.set $decided (i32.const 1))))
    (call $widen)
    (local.get $decided))

  ;; So many bits that are as likely as not.
  (func $even (param $count i32) (result i32)
    (local $value i32)
    (loop $next_bit
      (global.set $range (i32.shr_u (global.get $range) (i32.const 1)))
      (local.set $value (i32.shl (local.get $value) (i32.const 1)))
      (if (i32.ge_u (global.get $code) (global.get $range))
        (then
          (global.set $code (i32.sub (global.get $code) (global.get $range)))
          (local.set $value (i32.add (local.get $value) (i32.const 1)))))
      (call $widen)
      (br_if $next_bit (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $value))

  ;; So many bits, each by those before it.
  (func $tree (param $base i32) (param $count i32) (result i32)
    (local $node i32) (local $end i32)
    (local.set $node (i32.const 1))
    (local.set $end (i32.shl (i32.const 1) (local.get $count)))
    (loop $next_bit
      (local.set $node
        (i32.add (i32.shl (local.get $node) (i32.const 1))
          (call $bit (i32.add (local.get $base) (local.get $node)))))
      (br_if $next_bit (i32.lt_u (local.get $node) (local.get $end))))
    (i32.sub (local.get $node) (local.get $end)))

  ;; The same, from the lowest bit on.
  (func $reversed (param $base i32) (param $count i32) (result i32)
    (local $node i32) (local $decided i32) (local $value i32) (local $shift i32)
    (local.set $node (i32.const 1))
    (loop $next_bit
      (local.set $decided (call $bit (i32.add (local.get $base) (local.get $node))))
      (local.set $node (i32.add (i32.shl (local.get $node) (i32.const 1)) (local.get $decided)))
      (local.set $value (i32.or (local.get $value) (i32.shl (local.get $decided) (local.get $shift))))
      (br_if $next_bit
        (i32.lt_u (local.tee $shift (i32.add (local.get $shift) (i32.const 1))) (local.get $count))))
    (local.get $value))

  ;; A byte, by the one before it and, after a match, the one that would have gone on with it; -1 elsewhere.
  (func $literal (param $before i32) (param $expected i32) (result i32)
    (local $base i32) (local $symbol i32) (local $likely i32) (local $decided i32)
    (local.set $base
      (i32.add (i32.const 1188) (i32.mul (i32.shr_u (local.get $before) (i32.const 5)) (i32.const 0x300))))
    (local.set $symbol (i32.const 1))
    (loop $next_bit
      (local.set $likely
        (if (result i32) (i32.lt_s (local.get $expected) (i32.const 0))
          (then (i32.const -1))
          (else (i32.and (i32.shr_u (local.get $expected) (i32.const 7)) (i32.const 1)))))
      (local.set $decided
        (call $bit
          (i32.add (i32.add (local.get $base) (local.get $symbol))
            (i32.shl (i32.add (local.get $likely) (i32.const 1)) (i32.const 8)))))
      (local.set $symbol (i32.add (i32.shl (local.get $symbol) (i32.const 1)) (local.get $decided)))
      (local.set $expected
        (if (result i32) (i32.eq (local.get $decided) (local.get $likely))
          (then (i32.shl (local.get $expected) (i32.const 1)))
          (else (i32.const -1))))
      (br_if $next_bit (i32.lt_u (local.get $symbol) (i32.const 0x100))))
    (i32.sub (local.get $symbol) (i32.const 0x100)))

  (func $length (param $base i32) (param $position i32) (result i32)
    (if (i32.eqz (call $bit (local.get $base)))
      (then
        (return
          (i32.add (i32.const 2)
            (call $tree
              (i32.add (i32.add (local.get $base) (i32.const 2))
                (i32.shl (local.get $position) (i32.const 3)))
              (i32.const 3))))))
    (if (i32.eqz (call $bit (i32.add (local.get $base) (i32.const 1))))
      (then
        (return
          (i32.add (i32.const 10)
            (call $tree
              (i32.add (i32.add (local.get $base) (i32.const 34))
                (i32.shl (local.get $position) (i32.const 3)))
              (i32.const 3))))))
    (i32.add (i32.const 18) (call $tree (i32.add (local.get $base) (i32.const 66)) (i32.const 8))))

  ;; How far back a match of this length begins, less one.
  (func $distance (param $length i32) (result i32)
    (local $slot i32) (local $count i32) (local $high i32)
    (local.set $length (i32.sub (local.get $length) (i32.const 2)))
    (if (i32.gt_u (local.get $length) (i32.const 3)) (then (local.set $length (i32.const 3))))
    (local.set $slot
      (call $tree (i32.add (i32.const 788) (i32.shl (local.get $length) (i32.const 6))) (i32.const 6)))
    (if (i32.lt_u (local.get $slot) (i32.const 4)) (then (return (local.get $slot))))
    (local.set $count (i32.sub (i32.shr_u (local.get $slot) (i32.const 1)) (i32.const 1)))
    (local.set $high
      (i32.shl (i32.or (i32.const 2) (i32.and (local.get $slot) (i32.const 1))) (local.get $count)))
    (if (i32.lt_u (local.get $slot) (i32.const 14))
      (then
        (return
          (i32.add (local.get $high)
            (call $reversed
              (i32.sub (i32.add (i32.const 1044) (local.get $high)) (local.get $slot))
              (local.get $count))))))
    (i32.add
      (i32.add (local.get $high)
        (i32.shl (call $even (i32.sub (local.get $count) (i32.const 4))) (i32.const 4)))
      (call $reversed (i32.const 1172) (i32.const 4))))

  ;; Fills the bytes from one address to another. The stream, whose first code this is, goes on at `next`.
  (func (export "unpack") (param $at i32) (param $end i32) (param $code i32) (param $next i32)
    (local $state i32) (local $position i32) (local $place i32) (local $early i32) (local $length i32)
    (local $start i32) (local $distance i32)
    (local $first i32) (local $second i32) (local $third i32) (local $fourth i32)
    (global.set $code (local.get $code))
    (global.set $next (local.get $next))
    (local.set $start (local.get $at))
    (loop $next_symbol
      (local.set $position (i32.and (i32.sub (local.get $at) (local.get $start)) (i32.const 3)))
      (local.set $place (i32.add (i32.shl (local.get $state) (i32.const 2)) (local.get $position)))
      (local.set $early (i32.lt_u (local.get $state) (i32.const 7)))
      (if (i32.eqz (call $bit (local.get $place)))
        (then
          (i32.store8 (local.get $at)
            (call $literal
              (i32.load8_u (i32.sub (local.get $at) (i32.const 1)))
              (if (result i32) (local.get $early)
                (then (i32.const -1))
                (else (i32.load8_u (i32.sub (i32.sub (local.get $at) (local.get $first)) (i32.const 1)))))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $state
            (i32.sub (local.get $state)
              (if (result i32) (i32.lt_u (local.get $state) (i32.const 4))
                (then (local.get $state))
                (else
                  (select (i32.const 3) (i32.const 6) (i32.lt_u (local.get $state) (i32.const 10))))))))
        (else
          (if (i32.eqz (call $bit (i32.add (i32.const 48) (local.get $state))))
            (then
              (local.set $fourth (local.get $third))
              (local.set $third (local.get $second))
              (local.set $second (local.get $first))
              (local.set $length (call $length (i32.const 144) (local.get $position)))
              (local.set $first (call $distance (local.get $length)))
              (local.set $state (select (i32.const 7) (i32.const 10) (local.get $early))))
            (else
              (block $chosen
                (if (i32.eqz (call $bit (i32.add (i32.const 60) (local.get $state))))
                  (then
                    (if (i32.eqz (call $bit (i32.add (i32.const 96) (local.get $place))))
                      (then
                        (local.set $length (i32.const 1))
                        (local.set $state (select (i32.const 9) (i32.const 11) (local.get $early)))
                        (br $chosen))))
                  (else
                    (local.set $distance (local.get $second))
                    (if (call $bit (i32.add (i32.const 72) (local.get $state)))
                      (then
                        (local.set $distance (local.get $third))
                        (if (call $bit (i32.add (i32.const 84) (local.get $state)))
                          (then
                            (local.set $distance (local.get $fourth))
                            (local.set $fourth (local.get $third))))
                        (local.set $third (local.get $second))))
                    (local.set $second (local.get $first))
                    (local.set $first (local.get $distance))))
                (local.set $length (call $length (i32.const 466) (local.get $position)))
                (local.set $state (select (i32.const 8) (i32.const 11) (local.get $early))))))
          (loop $next_byte
            (i32.store8 (local.get $at)
              (i32.load8_u (i32.sub (i32.sub (local.get $at) (local.get $first)) (i32.const 1))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next_byte (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))))
      (br_if $next_symbol (i32.lt_u (local.get $at) (local.get $end))))))
