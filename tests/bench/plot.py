#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: plot.py BENCH.JSON DIRECTORY

Draw the curve of depth, what a read costs through so many layers, as DIRECTORY/depth.svg: for
each system in relation to its own depth 1, on scales that double. And what each system takes more
than dm-linear, as DIRECTORY/over.svg, on a scale of decades."""

import json
import math
import os
import re
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 60, 150, 40, 50
COLOURS = ['#1b6ca8', '#c8553d', '#5b8c5a', '#8a5a9e']


def curves(rows, unit):
    found = {}
    for row in rows:
        match = re.match(r'depth (\d+), read', row['metric'])
        if match and row['unit'] == unit:
            found.setdefault(row['system'], {})[int(match[1])] = row['value']
    return {name: {d: v / points[min(points)] for d, v in sorted(points.items())}
            for name, points in found.items()}


def text(x, y, content, anchor='middle', size=12):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>' % (
        x, y, anchor, size, content)


def draw(data, title):
    deepest = max(max(points) for points in data.values())
    highest = max(2, max(max(points.values()) for points in data.values()))
    columns, lines = math.log2(deepest) or 1, math.ceil(math.log2(highest))

    def x(depth):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(depth) / columns

    def y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log2(value) / lines

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">'
           % (WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 22, title, 'start', 14),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'layers that a read goes through')]
    for i in range(lines + 1):
        out += ['<path d="M%d %.1fH%d" stroke="#ddd"/>' % (LEFT, y(2 ** i), WIDTH - RIGHT),
                text(LEFT - 8, y(2 ** i) + 4, '%d' % 2 ** i, 'end')]
    for i in range(int(columns) + 1):
        out.append(text(x(2 ** i), HEIGHT - BOTTOM + 20, '%d' % 2 ** i))
    for colour, (name, points) in zip(COLOURS, data.items()):
        path = ' '.join('%.1f,%.1f' % (x(d), y(max(v, 2 ** -0.1))) for d, v in points.items())
        depth, value = list(points.items())[-1]
        out += ['<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>'
                % (path, colour), '<g fill="%s">%s</g>' % (
                    colour, text(x(depth) + 8, y(value) + 4, '%s: %.2f' % (name, value), 'start'))]
    return '\n'.join(out + ['</svg>', ''])


def over(rows):
    """(situation, [(system, instructions more than dm-linear)])"""
    found = {}
    for row in rows:
        if row.get('over_linear', 0) > 0:
            found.setdefault(row['metric'], []).append((row['system'], row['over_linear']))
    return found.items()


def draw_over(data):
    names = sorted({name for _, bars in data for name, _ in bars})
    colours = dict(zip(names, COLOURS + ['#b8a13a', '#777777']))
    bar, y, left, decade = 14, 50, 150, 80
    out = []
    for situation, bars in data:
        out.append(text(left - 8, y + bar * len(bars) / 2 + 4, situation, 'end'))
        for name, value in bars:
            width = decade * math.log10(max(value, 1))
            out += ['<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                    % (left, y, width, bar - 2, colours[name]),
                    text(left + width + 5, y + bar - 4, '%s: %.0f' % (name, value), 'start', 11)]
            y += bar
        y += 10
    return '\n'.join(
        ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">'
         % (WIDTH + 80, y), '<rect width="100%" height="100%" fill="white"/>',
         text(20, 24, 'Instructions for a 4 KiB transfer, more than dm-linear takes', 'start', 14),
         *out, '</svg>', ''])


def save(drawing, name):
    with open(os.path.join(sys.argv[2], name), 'w') as f:
        f.write(drawing)


def main():
    with open(sys.argv[1]) as f:
        rows = json.load(f)
    depth, more = curves(rows, 'instructions'), over(rows)
    if depth:
        save(draw(depth, 'Instructions for a 4 KiB read, depth 1 being 1'), 'depth.svg')
    if more:
        save(draw_over(more), 'over.svg')


if __name__ == '__main__':
    main()
