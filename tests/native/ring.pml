/* SPDX-License-Identifier: MIT */
/*
 * A model of the ring for Spin, with deaths: every interleaving of two
 * producers and a consumer, which may die before each of their steps, and of
 * the repairs and consumers that follow.
 *
 * A cell stands for 8 bytes; a record has one or two, so that it wraps and
 * pads. One statement is one access to shared memory, but a header word is
 * stored and loaded at once, as in ring.c. Memory is sequentially consistent
 * here: orders are the thread sanitizer's business.
 *
 * What must hold, in every execution:
 *
 *   - what was committed is delivered in the end ("judge");
 *   - what is handed out is committed, whole, and of this place ("look");
 *   - nothing is given back before its outcome is known ("release");
 *   - nothing is handed out that has been given back ("deliver");
 *   - bytes that were reserved and not written are zero ("repair");
 *   - nobody waits for ever (Spin's invalid end states).
 *
 * Broken on purpose, and each must be noticed:
 *
 *   BROKEN_RELEASE  what is claimed is given back before it is delivered
 *   BROKEN_ZERO     free moves before the bytes are zero
 *   BROKEN_HEAD     head moves after the bytes are zero
 *   BROKEN_CLAIM    a claim reads on over its own records of the lap before
 *   BROKEN_ALIVE    a consumer repairs a ring whose producers live
 *   BROKEN_REPAIR   a repair leaves what a dead consumer had not zeroed
 */

#ifndef CELLS
#define CELLS 4
#endif
#ifndef FIRST
#define FIRST 2 /* records of the first producer */
#endif
#ifndef SECOND
#define SECOND 1 /* of the second */
#endif
#ifndef KILLS
#define KILLS 2 /* of consumers, repairing or not */
#endif

#ifndef START
#define START 1 /* the ring's first position */
#endif

#define PRODUCERS 2
#define RECORDS (FIRST + SECOND)

#define FREE 0
#define WRITING 1
#define READY 2
#define PAD 3
#define VOID 4

/* The cells: header word, length, and what stands for the payload. */
byte state[CELLS], stamp[CELLS], length[CELLS], payload[CELLS];

byte tail = START, cache = START, free = START, head = START;

bool dead;      /* the process of the producers */
bool killed;    /* the consumer has been, and is the last to know */
byte finished;  /* producers */

/* What is known of each record, outside the ring. */
bool committed[RECORDS], delivered[RECORDS], released[RECORDS];

#define LAP_END(at) (((at) / CELLS + 1) * CELLS)
#define IS(at, what) (state[(at) % CELLS] == what && stamp[(at) % CELLS] == at)
#define IS_HEADER(at)                                                         \
    (IS(at, WRITING) || IS(at, READY) || IS(at, PAD) || IS(at, VOID))
#define DOES_NOT_FIT (at + pad + size < limit || at + pad + size - limit > CELLS)

inline store(at, what)
{
    d_step {
        stamp[(at) % CELLS] = at;
        state[(at) % CELLS] = what;
    }
}

/* Pushes the records from `number` on. */
proctype Producer(byte number, last)
{
    byte at, pad, size, limit, seen, i;

    {
        do
        :: number > last -> break
        :: number <= last ->
#ifdef ALL_SIZES
            if
            :: size = 1
            :: size = 2
            fi;
#else
            size = 2 - number % 2;
#endif
            at = tail;
again:
            pad = (at % CELLS + size <= CELLS -> 0 : CELLS - at % CELLS);
            limit = cache;
            if
            :: DOES_NOT_FIT ->
                limit = free;
                cache = limit;
                seen = tail;
                if
                :: seen != at -> at = seen; goto again
                :: else
                fi;
                if
                :: DOES_NOT_FIT -> /* full: later, once there may be room */
                    free != limit;
                    at = tail;
                    goto again
                :: else
                fi
            :: else
            fi;
            atomic {
                if
                :: tail == at -> tail = at + pad + size
                :: else -> at = tail; goto again
                fi
            };
            if
            :: pad > 0 -> store(at, PAD); at = at + pad
            :: else
            fi;
            store(at, WRITING);
            i = 0;
            do
            :: i < size ->
                payload[(at + i) % CELLS] = number + 1;
                i++
            :: else -> break
            od;
            length[at % CELLS] = size;
            d_step {
                state[at % CELLS] = READY;
                committed[number] = true;
                number++;
                at = 0; pad = 0; size = 0; limit = 0; seen = 0; i = 0
            }
        od
    } unless { dead };
    atomic {
        number = 0; last = 0;
        at = 0; pad = 0; size = 0; limit = 0; seen = 0; i = 0;
        finished++
    }
}

/* Zero the cells of [from, to), one at a time. */
inline zero(from, to)
{
    i = from;
    do
    :: i < to ->
        d_step {
            state[i % CELLS] = FREE;
            stamp[i % CELLS] = 0;
            length[i % CELLS] = 0;
            payload[i % CELLS] = 0;
            i++
        }
    :: else -> break
    od;
    i = 0
}

/* Look at the READY record at `at`: is it what was pushed? */
inline look(at)
{
    assert(stamp[at % CELLS] == at);
    assert(at + length[at % CELLS] <= tail);
    assert(payload[at % CELLS] != 0);
    assert(committed[payload[at % CELLS] - 1]);
    assert(length[at % CELLS] == 1 ||
           payload[(at + 1) % CELLS] == payload[at % CELLS])
}

/* Step over whatever stands at `at`. */
inline skip_over(at)
{
    if
    :: state[at % CELLS] == PAD -> at = LAP_END(at)
    :: else -> at = at + length[at % CELLS]
    fi
}

/* Give back everything before `end`, which every record there allows. */
inline give_back(end)
{
#ifndef BROKEN_HEAD
    move_head(end);
#endif
#ifdef BROKEN_ZERO
    free = end;
#endif
    zero(free_before, end);
#ifdef BROKEN_HEAD
    move_head(end);
#endif
    free = end
}

inline move_head(end)
{
    d_step {
        i = head;
        do
        :: i < end && state[i % CELLS] == READY ->
            assert(delivered[payload[i % CELLS] - 1]);
            released[payload[i % CELLS] - 1] = true;
            skip_over(i)
        :: i < end && (state[i % CELLS] == PAD || state[i % CELLS] == VOID) ->
            skip_over(i)
        :: else -> break
        od;
        head = end;
        i = 0
    }
}

/* Finish the release in which the last consumer died. */
inline resume()
{
    zero(free, head);
    free = head
}

/* Make all of [head, tail) records, pads and voids. */
inline repair()
{
    at = head;
    first = tail;
    do
    :: at < tail && IS(at, READY) ->
        d_step {
            if
            :: first == tail -> first = at
            :: else
            fi;
            skip_over(at)
        }
    :: at < tail && (IS(at, PAD) || IS(at, VOID)) -> skip_over(at)
    :: at < tail && !IS(at, READY) && !IS(at, PAD) && !IS(at, VOID) ->
        d_step {
            assert(state[at % CELLS] == WRITING || payload[at % CELLS] == 0);
            end = at + 1;
            do
            :: end < tail && end < LAP_END(at) && !IS_HEADER(end) -> end++
            :: else -> break
            od
        };
        zero(at, end);
        skip; /* No jump may end in a d_step. */
        d_step {
            stamp[at % CELLS] = at;
            length[at % CELLS] = end - at;
            state[at % CELLS] = VOID;
            at = end;
            end = 0
        }
    :: at == tail -> break
    od;
    head = first;
#ifndef BROKEN_REPAIR
    zero(tail, first + CELLS);
#endif
    free = first;
    cache = first;
    at = 0;
    first = 0
}

/* All is over: was everything delivered, is everything clean? */
inline judge()
{
    d_step {
        i = 0;
        do
        :: i < RECORDS -> assert(!committed[i] || delivered[i]); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < CELLS ->
            assert(state[i] == FREE && payload[i] == 0 && length[i] == 0);
            i++
        :: else -> break
        od;
        assert(free == head && head == tail)
    }
}

proctype Consumer()
{
    byte claim, done, end, free_before, at, first, i;
    bool is_repaired;

life:
    {
        /* A new process: it knows what is in the ring and nothing else. */
        d_step {
            claim = 0; done = 0; end = 0; free_before = 0;
            at = 0; first = 0; i = 0;
            is_repaired = dead
        };
        if
        :: is_repaired -> repair()
#ifdef BROKEN_ALIVE
        :: else -> repair()
#else
        :: else -> resume()
#endif
        fi;
        claim = head;
        done = claim;
        do
        :: d_step {
#ifndef BROKEN_CLAIM
               claim < free + CELLS &&
#endif
               (state[claim % CELLS] == READY ||
               state[claim % CELLS] == PAD || state[claim % CELLS] == VOID) ->
               if
               :: state[claim % CELLS] == READY -> look(claim)
               :: else -> assert(stamp[claim % CELLS] == claim)
               fi;
               skip_over(claim)
           }
        :: d_step { /* deliver: the outcome of the oldest is known */
               done < claim ->
               if
               :: state[done % CELLS] == READY ->
                   look(done);
                   assert(!released[payload[done % CELLS] - 1]);
                   delivered[payload[done % CELLS] - 1] = true
               :: else
               fi;
               skip_over(done)
           }
#ifdef BROKEN_RELEASE
        :: free < claim ->
            end = claim;
#else
        :: free < done ->
            end = done;
#endif
            free_before = free;
            give_back(end);
            end = 0;
            free_before = 0
        :: dead && !is_repaired -> goto life
        :: (finished == PRODUCERS && !dead || is_repaired) && claim == tail &&
           free == tail -> goto over
        od
    } unless { atomic { killed -> killed = false } };
    goto life;
over:
    judge()
}

/* Kills whom it likes when it likes, or does not. */
proctype Reaper()
{
    byte kills;

    do
    :: atomic { kills < KILLS && !killed -> killed = true; kills++ }
#ifndef IMMORTAL
    :: atomic { !dead && finished < PRODUCERS -> dead = true }
#endif
    :: break
    od
}

init
{
    atomic {
        run Producer(0, FIRST - 1);
        run Producer(FIRST, RECORDS - 1);
        run Consumer();
        run Reaper()
    }
}
