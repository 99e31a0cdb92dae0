"""The planner for many images, compiled by numba: ``reference.py`` without arrays.

All in one file, since numba's cache looks at the file of a function and not at those of
the functions it calls. The kernels hold no GIL and share nothing, so that threads may
plan blocks of images side by side.

The greedy cover counts, for each candidate, the boxes it holds: a box is held by a
rectangle of the grid, a stretch of each border and perhaps corners, which is a handful
of additions instead of a comparison of every candidate with every box.
"""

import numpy as np
from numba import njit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)
_NOTHING = np.uint64(0)
_CANDIDATES, _NEGATIVE_CANDIDATES, _NEGATIVE_DRAW = 0, 1, 2
_TRUTH, _IGNORED = 0, 2
_MORE_THAN_FINEST, _MORE_THAN = 25, 10


@njit(nogil=True, cache=True, inline='always')
def _mix(value):
    value = (value ^ (value >> np.uint64(30))) * _FACTOR_1
    value = (value ^ (value >> np.uint64(27))) * _FACTOR_2
    return value ^ (value >> np.uint64(31))


@njit(nogil=True, cache=True, inline='always')
def _absorb(state, part):
    return _mix(state + _STEP + _mix(np.uint64(part)))


@njit(nogil=True, cache=True, inline='always')
def _drawn(key, place):
    return _mix(key + _STEP * np.uint64(place + 1))


@njit(nogil=True, cache=True, inline='always')
def _holds(window, box):
    starts = window[0] <= box[0] and window[1] <= box[1]
    return starts and window[2] >= box[2] and window[3] >= box[3]


@njit(nogil=True, cache=True)
def _held_from(low_end, high_end, length, stride, count):
    """Return (first, last) place of a grid whose window of a length holds a stretch."""
    last = min(count - 1, int(low_end / stride))
    while last + 1 < count and (last + 1) * stride <= low_end:
        last += 1
    while last >= 0 and last * stride > low_end:
        last -= 1
    first = max(0, int((high_end - length + 1) / stride))
    while first > 0 and (first - 1) * stride + length - 1 >= high_end:
        first -= 1
    while first * stride + length - 1 < high_end:
        first += 1
    return first, last


@njit(nogil=True, cache=True)
def _shift_counts(counts, box, grid, corners, step):
    """Add ``step`` to the count of every candidate that holds a box."""
    length, stride, num_x, num_y, border_x, border_y, last_x, last_y = grid
    for index in range(3):
        if _holds(corners[index], box):
            counts[index] += step
    first_x, stop_x, first_y, stop_y = 0, -1, 0, -1
    if num_x > 0:
        first_x, stop_x = _held_from(box[0], box[2], length, stride, num_x)
    if num_y > 0:
        first_y, stop_y = _held_from(box[1], box[3], length, stride, num_y)
    for x in range(first_x, stop_x + 1):
        column = 3 + x * num_y
        for y in range(first_y, stop_y + 1):
            counts[column + y] += step
    if border_x <= box[0] and last_x >= box[2]:
        column = 3 + num_x * num_y
        for y in range(first_y, stop_y + 1):
            counts[column + y] += step
    if border_y <= box[1] and last_y >= box[3]:
        row = 3 + num_x * num_y + num_y
        for x in range(first_x, stop_x + 1):
            counts[row + x] += step


@njit(nogil=True, cache=True)
def _window(place, grid, corners, chip):
    """Write the corners of a candidate into ``chip``."""
    length, stride, num_x, num_y, border_x, border_y, last_x, last_y = grid
    if place < 3:
        chip[:] = corners[place]
        return
    place -= 3
    if place < num_x * num_y:
        chip[0], chip[1] = (place // num_y) * stride, (place % num_y) * stride
        chip[2], chip[3] = chip[0] + length - 1, chip[1] + length - 1
        return
    place -= num_x * num_y
    if place < num_y:
        chip[0], chip[1] = border_x, place * stride
        chip[2], chip[3] = last_x, chip[1] + length - 1
        return
    chip[0], chip[1] = (place - num_y) * stride, border_y
    chip[2], chip[3] = chip[0] + length - 1, last_y


@njit(nogil=True, cache=True)
def _geometry(width, height, length, stride, longer):
    """Return the numbers that describe the candidates of a scaled image."""
    last_x, last_y = width - 1, height - 1
    right, bottom = max(width - length, 0), max(height - length, 0)
    num_x, num_y = (right + stride - 1) // stride, (bottom + stride - 1) // stride
    end_x, end_y = min(length - 1 + longer, last_x), min(length - 1 + longer, last_y)
    corners = np.empty((3, 4), np.int64)
    corners[0, 0], corners[0, 1], corners[0, 2], corners[0, 3] = right, 0, last_x, end_y
    corners[1, 0], corners[1, 1], corners[1, 2] = 0, bottom, end_x
    corners[2, 0], corners[2, 1], corners[2, 2] = right, bottom, last_x
    corners[1:, 3] = last_y
    border_x, border_y = max(right - longer, 0), max(bottom - longer, 0)
    grid = (length, stride, num_x, num_y, border_x, border_y, last_x, last_y)
    return grid, corners


@njit(nogil=True, cache=True)
def _cut(boxes, is_wanted, factor, width, height, rules, stride, key, chips):
    """Write the chips that cover the wanted boxes; return how many."""
    longer = rules.longer
    scaled_w, scaled_h = max(int(width * factor), 1), max(int(height * factor), 1)
    grid, corners = _geometry(scaled_w, scaled_h, rules.chip_px, stride, longer)
    counts = np.zeros(3 + grid[2] * grid[3] + grid[2] + grid[3], np.int32)
    scaled = np.empty((len(boxes), 4))
    is_left = is_wanted.copy()
    for number in range(len(boxes)):
        if is_wanted[number]:
            for side in range(4):
                limit = (scaled_w if side % 2 == 0 else scaled_h) - 1 - longer
                value = boxes[number, side] * factor
                scaled[number, side] = max(min(value, limit), 0.0)
            _shift_counts(counts, scaled[number], grid, corners, 1)
    return _cover(scaled, is_left, counts, grid, corners, key, chips)


@njit(nogil=True, cache=True)
def _cover(scaled, is_left, counts, grid, corners, key, chips):
    """Choose candidates greedily and write them; return how many."""
    num_chips = 0
    while True:
        most = np.int32(0)
        for place in range(len(counts)):
            most = max(most, counts[place])
        if most == 0:
            return num_chips
        best, best_hash = -1, _NOTHING
        for place in range(len(counts)):
            # Only equals are hashed: hashing all would be most of the work.
            if counts[place] == most:
                drawn = _drawn(key, place)
                if best < 0 or drawn < best_hash:
                    best, best_hash = place, drawn
        chip = chips[num_chips]
        _window(best, grid, corners, chip)
        num_chips += 1
        for number in range(len(scaled)):
            if is_left[number] and _holds(chip, scaled[number]):
                is_left[number] = False
                _shift_counts(counts, scaled[number], grid, corners, -1)


@njit(nogil=True, cache=True)
def _assign(boxes, is_wanted, chips, num_chips, factor, rules, scale, is_negative, out):
    """Write the chip of each wanted box into ``out``, -1 for none."""
    is_coarsest = scale == len(rules.low) - 1
    low, high = rules.low[scale], rules.high[scale]
    windows = chips[:num_chips] / factor
    for number in range(len(boxes)):
        out[number] = -1
        if not is_wanted[number] or num_chips == 0:
            continue
        x1, y1, x2, y2 = boxes[number]
        area = (x2 - x1 + 1) * (y2 - y1 + 1)
        best, best_share = 0, -1.0
        for index in range(num_chips):
            across = min(windows[index, 2], x2) - max(windows[index, 0], x1)
            down = min(windows[index, 3], y2) - max(windows[index, 1], y1)
            share = max(across + 1, 0.0) * max(down + 1, 0.0) / area
            if share > best_share:
                best, best_share = index, share
        across = min(windows[best, 2], x2) - max(windows[best, 0], x1)
        down = min(windows[best, 3], y2) - max(windows[best, 1], y1)
        if across < 1 or down < 1:
            continue
        size = np.sqrt(abs(across * down))
        if is_coarsest:
            is_in_range = size >= low or _longer_side(boxes[number]) >= rules.long_from
        elif high == -1:
            is_in_range = True
        else:
            is_in_range = size < high if is_negative else size <= high
        if is_in_range:
            out[number] = best


@njit(nogil=True, cache=True, inline='always')
def _longer_side(box):
    return max(np.trunc(box[2] - box[0]), np.trunc(box[3] - box[1]))


@njit(nogil=True, cache=True)
def _select(boxes, kinds, factor, rules, scale, stride, is_driving, is_eligible):
    """Write which boxes drive the chips of a scale and which may be trained there."""
    num_scales = len(rules.low)
    is_coarsest = scale == num_scales - 1
    is_middle = scale > 0 and not is_coarsest
    low, high = rules.low[scale], rules.high[scale]
    limit = rules.side_limit
    if limit < 0:
        limit = (rules.chip_px - stride - 1) / factor
    for number in range(len(boxes)):
        across = max(np.trunc(boxes[number, 2] - boxes[number, 0]), 0.0)
        down = max(np.trunc(boxes[number, 3] - boxes[number, 1]), 0.0)
        size, longer = np.sqrt(across * down), max(across, down)
        if is_coarsest:
            eligible = size >= low or longer >= rules.long_from
        else:
            eligible = (high == -1 or size < high) and longer < limit
            eligible = eligible and min(across, down) >= 2
            eligible = eligible and (rules.longer == 1 or size >= low)
        drives = eligible and (not is_middle or size >= low)
        is_driving[number] = drives and kinds[number] == _TRUTH
        is_eligible[number] = eligible and kinds[number] != _IGNORED


@njit(nogil=True, cache=True)
def _write(out, at, place, chip, assigned, kinds):
    """Append a chip with its valid boxes to the output; return the next place there."""
    entry, scale, is_negative, index = place
    chip_at, box_at = at
    out.entries[chip_at], out.scales[chip_at] = entry, scale
    out.is_negative[chip_at] = is_negative
    out.corners[chip_at] = chip
    for number in range(len(assigned)):
        if assigned[number] == index and kinds[number] == _TRUTH:
            out.valid_boxes[box_at] = number
            box_at += 1
    out.valid_ends[chip_at] = box_at
    return chip_at + 1, box_at


@njit(nogil=True, cache=True)
def _draw(pool_size, num_drawn, key):
    """Return the places of the negative chips of a pool that are used."""
    own = _absorb(_absorb(_NOTHING, key), _NEGATIVE_DRAW)
    hashes = np.empty(pool_size, np.uint64)
    for index in range(pool_size):
        hashes[index] = _drawn(own, index)
    return np.argsort(hashes, kind='mergesort')[:num_drawn]


@njit(nogil=True, cache=True)
def _plan_positives(image, entry, stride, rules, out, at):
    """Write the chips of all scales; return the place in the output."""
    boxes, kinds, width, height, factors, key, is_left = image
    num_boxes = len(boxes)
    is_driving = np.empty(num_boxes, np.bool_)
    assigned = np.empty(num_boxes, np.int64)
    chips = np.empty((num_boxes, 4), np.int64)
    for scale in range(len(rules.low)):
        factor, is_eligible = factors[scale], is_left[scale]
        _select(boxes, kinds, factor, rules, scale, stride, is_driving, is_eligible)
        own = _absorb(_absorb(_absorb(_NOTHING, key), _CANDIDATES), scale)
        count = _cut(
            boxes, is_driving, factor, width, height, rules, stride, own, chips
        )
        _assign(boxes, is_eligible, chips, count, factor, rules, scale, False, assigned)
        for index in range(count):
            place = (entry, scale, False, index)
            at = _write(out, at, place, chips[index], assigned, kinds)
        for number in range(num_boxes):
            is_eligible[number] = is_eligible[number] and assigned[number] < 0
    return at


@njit(nogil=True, cache=True)
def _plan_negatives(image, entry, stride, rules, out, at):
    """Write the negative chips that are drawn; return the place in the output."""
    boxes, kinds, width, height, factors, key, is_left = image
    num_boxes, num_scales = len(boxes), len(rules.low)
    chips = np.empty((num_boxes, 4), np.int64)
    assigned = np.empty((num_scales, num_boxes), np.int64)
    pool = np.empty((num_boxes * num_scales, 4), np.int64)
    places = np.empty((num_boxes * num_scales, 2), np.int64)
    pool_size = 0
    for scale in range(num_scales):
        factor, rest = factors[scale], assigned[scale]
        own = _absorb(_absorb(_absorb(_NOTHING, key), _NEGATIVE_CANDIDATES), scale)
        count = _cut(
            boxes, is_left[scale], factor, width, height, rules, stride, own, chips
        )
        _assign(boxes, is_left[scale], chips, count, factor, rules, scale, True, rest)
        for index in range(count):
            held = 0
            for number in range(num_boxes):
                held += rest[number] == index
            if held > (_MORE_THAN_FINEST if scale == 0 else _MORE_THAN):
                pool[pool_size] = chips[index]
                places[pool_size, 0], places[pool_size, 1] = scale, index
                pool_size += 1
    for drawn in _draw(pool_size, rules.num_negatives, key):
        scale, index = places[drawn]
        place = (entry, scale, True, index)
        at = _write(out, at, place, pool[drawn], assigned[scale], kinds)
    return at


@njit(nogil=True, cache=True)
def plan_entries(first, stop, table, factors, state, stride, rules, out):
    """Plan the entries of a block; return (chips, valid boxes) written.

    Args:
        first: First entry. Entry e is image e, and from N on the mirrored e - N.
        stop: Behind the last entry.
        table: The columns of a ``BoxTable``.
        factors: (N, S).
        state: Hash of seed and epoch.
        stride: Of the epoch.
        rules: The plan's numbers.
        out: Arrays to write into, large enough.
    """
    num_images, num_scales = len(table.widths), len(rules.low)
    at = (0, 0)
    for entry in range(first, stop):
        image, is_mirrored = entry % num_images, entry >= num_images
        begin, end = table.offsets[image], table.offsets[image + 1]
        num_boxes = end - begin
        if num_boxes == 0:
            continue
        kinds = table.kinds[begin:end]
        width, height = table.widths[image], table.heights[image]
        boxes = table.boxes[begin:end].astype(np.float64)
        if is_mirrored:
            for number in range(num_boxes):
                left = boxes[number, 0]
                boxes[number, 0] = width - boxes[number, 2] - 1
                boxes[number, 2] = width - left - 1
        key = _absorb(_absorb(state, table.keys[image]), np.uint64(is_mirrored))
        # What is eligible at a scale, and after the positive chips what is left of it.
        is_left = np.empty((num_scales, num_boxes), np.bool_)
        one = (boxes, kinds, width, height, factors[image], key, is_left)
        at = _plan_positives(one, entry, stride, rules, out, at)
        if rules.num_negatives > 0:
            at = _plan_negatives(one, entry, stride, rules, out, at)
    return at
