#!/usr/bin/env python3
"""The picture of the result, as SVG. Needs only the standard library.

    figure.py GROWTH INDEX CORRELATION RESULT OUT

The first four are what growth_rate.py, sst_index.py and lag_correlation.py wrote. Four panels: the temperature index
over time, the growth of CO2 over time, their correlation at each lag, and the months themselves at the best lag. The
same input gives the same bytes.
"""

import csv
import json
import math
import sys
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1000, 900
WARM, COOL, CO2, INK, FAINT, BAND = "#c8452f", "#3b76b0", "#1f2933", "#3e4c59", "#d9dee4", "#f6e3cf"
EL_NINO_DEGC, EL_NINO_MONTHS = 0.9, 5  # at least that warm for at least that long is marked
PINATUBO = 1991 + 5.5 / 12  # the eruption of 15 June 1991


class Panel:
    """A rectangle of the picture with its own axes; collects SVG elements.

    ``box`` is (left, top, width, height) in pixels, ``x`` and ``y`` are (lowest, highest) in units of the data.
    """

    def __init__(self, box, x, y):
        self.left, self.top, self.width, self.height = box
        self.x, self.y = x, y
        self.elements = []

    def at(self, x, y):
        """Pixels of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.left + across * self.width, 2), round(self.top + (1 - up) * self.height, 2)

    def title(self, text):
        """A heading above the panel."""
        self.elements.append(label(self.left, self.top - 22, text, size=15, weight=600))

    def band(self, first, last, colour):
        """A vertical stripe over the whole height."""
        left, right = self.at(first, 0)[0], self.at(last, 0)[0]
        self.elements.append(rectangle(left, self.top, right - left, self.height, colour))

    def axes(self, x_ticks, y_ticks, x_name, y_name):
        """Grid, ticks and names. ``x_ticks``: [(value, text)]; ``y_ticks``: values."""
        bottom, right = self.top + self.height, self.left + self.width
        for value in y_ticks:
            y = self.at(self.x[0], value)[1]
            self.elements.append(line([(self.left, y), (right, y)], INK if value == 0 else FAINT, 1))
            self.elements.append(label(self.left - 8, y + 4, signed(value), size=12, anchor="end"))
        for value, text in x_ticks:
            x = self.at(value, self.y[0])[0]
            self.elements.append(line([(x, bottom), (x, bottom + 5)], INK, 1))
            self.elements.append(label(x, bottom + 20, text, size=12, anchor="middle"))
        self.elements.append(line([(self.left, bottom), (right, bottom)], INK, 1))
        if x_name:
            self.elements.append(label(self.left + self.width / 2, bottom + 40, x_name, size=13, anchor="middle"))
        x, y = self.left - 46, self.top + self.height / 2
        turned = f'transform="translate({x} {y}) rotate(-90)" font-size="13" text-anchor="middle"'
        self.elements.append(f"<text {turned}>{escape(y_name)}</text>")

    def areas(self, runs):
        """Filled between zero and the curve: warm above, cool below."""
        for points in runs:
            for colour, side in ((WARM, max), (COOL, min)):
                edge = [(x, side(0.0, y)) for x, y in with_crossings(points)]
                outline = [self.at(x, y) for x, y in [(edge[0][0], 0.0), *edge, (edge[-1][0], 0.0)]]
                self.elements.append(f'<polygon points="{path(outline)}" fill="{colour}" fill-opacity="0.85"/>')

    def curve(self, points, colour, width=1.8, dash=""):
        """A line through points of the data."""
        self.elements.append(line([self.at(x, y) for x, y in points], colour, width, dash))

    def dots(self, points, colour, radius, opacity):
        """One dot for each point."""
        for x, y in points:
            across, down = self.at(x, y)
            self.elements.append(
                f'<circle cx="{across}" cy="{down}" r="{radius}" fill="{colour}" fill-opacity="{opacity}"/>'
            )

    def note(self, x, y, text, colour=INK, anchor="start", shift=(0, 0)):
        """Text at a point of the data, moved by ``shift`` pixels."""
        across, down = self.at(x, y)
        self.elements.append(label(across + shift[0], down + shift[1], text, size=12, anchor=anchor, colour=colour))


def path(points):
    """Points as SVG writes them."""
    return " ".join(f"{x},{y}" for x, y in points)


def line(points, colour, width, dash=""):
    """A line through pixels."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{path(points)}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def rectangle(left, top, width, height, colour):
    """A filled rectangle, in pixels."""
    return f'<rect x="{left}" y="{top}" width="{round(width, 2)}" height="{height}" fill="{colour}"/>'


def label(x, y, text, size, anchor="start", weight=400, colour=INK):
    """A line of text, in pixels."""
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def signed(value):
    """A number for an axis, with a real minus sign."""
    return f"{value:g}".replace("-", "\u2212")


def with_crossings(points):
    """The points, and between two of different sign the place where the line crosses zero."""
    for (x, y), (next_x, next_y) in zip(points, points[1:]):
        yield x, y
        if y * next_y < 0:
            yield x + (next_x - x) * y / (y - next_y), 0.0
    yield points[-1]


def ticks(low, high, step):
    """Multiples of ``step`` from ``low`` to ``high``, both included."""
    return [count * step for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def limits(values, step):
    """The smallest range in whole steps that holds all values."""
    return math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step


def read_series(path, column):
    """[(month number, value)] of one column of a CSV, without its empty cells, in order of time."""
    with path.open(encoding="ascii", newline="") as stream:
        rows = [(row["month"].split("-"), row[column]) for row in csv.DictReader(stream)]
    return sorted((int(year) * 12 + int(month) - 1, float(text)) for (year, month), text in rows if text)


def years(month):
    """The middle of a month on an axis of years."""
    return (month + 0.5) / 12


def unbroken(series):
    """Runs of months without a gap, with time in years."""
    runs = []
    for position, (month, value) in enumerate(series):
        if position == 0 or month != series[position - 1][0] + 1:
            runs.append([])
        runs[-1].append((years(month), value))
    return [run for run in runs if len(run) > 1]


def el_ninos(index):
    """[(first month, last month)] of the warm spells that are marked."""
    spells = []
    for month, value in index:
        if value < EL_NINO_DEGC:
            continue
        if spells and spells[-1][1] == month - 1:
            spells[-1][1] = month
        else:
            spells.append([month, month])
    return [(first, last) for first, last in spells if last - first + 1 >= EL_NINO_MONTHS]


def time_panels(growth, index, lag):
    """Temperature and growth over time, one above the other, warm spells marked through both."""
    span = (growth[0][0] // 12, growth[-1][0] // 12 + 1)
    index = [(month, value) for month, value in index if span[0] * 12 <= month < span[1] * 12]
    index_range = limits([value for _, value in index], 1)
    growth_range = limits([value for _, value in growth], 1)
    upper = Panel((84, 132, 880, 170), span, index_range)
    lower = Panel((84, 374, 880, 170), span, growth_range)
    upper.title(
        "Sea-surface temperature, Ni\u00f1o 1+2 (0\u201310\u00b0S, 90\u201380\u00b0W): anomaly, five-month mean"
    )
    lower.title("Growth rate of CO\u2082, Mauna Loa: departure from its own straight-line trend")
    for first, last in el_ninos(index):
        for panel, delay in ((upper, 0), (lower, lag)):
            panel.band((first + delay) / 12, (last + delay + 1) / 12, BAND)
        name = f"{first // 12}" if first // 12 == last // 12 else f"{first // 12}\u2013{last // 12 % 100:02d}"
        upper.note((first + last + 1) / 24, index_range[1], name, WARM, "middle", (0, -4))
    lower.curve([(PINATUBO, growth_range[0]), (PINATUBO, growth_range[1])], INK, 1, "3 3")
    lower.note(PINATUBO, growth_range[1], "Pinatubo", anchor="middle", shift=(0, -4))
    decades = [(year, str(year)) for year in range(span[0] - span[0] % -5, span[1] + 1, 5)]
    upper.axes(decades, ticks(*index_range, 1), "", "\u00b0C")
    lower.axes(decades, ticks(*growth_range, 1), "", "ppm per year")
    upper.areas(unbroken(index))
    for run in unbroken(growth):
        lower.curve(run, CO2)
    for before, after in zip(unbroken(growth), unbroken(growth)[1:]):
        middle = (before[-1][0] + after[0][0]) / 2
        lower.note(middle, growth_range[0], f"{int(middle)} left out", anchor="middle", shift=(0, -8))
    return [upper, lower]


def lag_panel(table, result):
    """Correlation against lag, with and without the time after the eruption."""
    lags = [int(row["lag_months"]) for row in table]
    all_months = [(lag, float(row["r"])) for lag, row in zip(lags, table)]
    without = [(lag, float(row["r_without"])) for lag, row in zip(lags, table)]
    panel = Panel((84, 622, 400, 180), (lags[0], lags[-1]), limits([r for _, r in all_months + without], 0.2))
    panel.title("Correlation at each lag")
    marks = [(lag, signed(lag)) for lag in ticks(lags[0], lags[-1], 6)]
    panel.axes(marks, [round(r, 1) for r in ticks(*panel.y, 0.2)], "months by which temperature comes first", "r")
    panel.curve(without, INK, 1.4, "5 4")
    panel.curve(all_months, WARM, 2.4)
    best = (result["lag_months"], result["r"])
    panel.dots([best], WARM, 5, 1)
    panel.note(*best, f"r = {best[1]:.2f} at {best[0]} months", WARM, "middle", (0, 66))
    panel.note(result["lag_months_without"], result["r_without"], "without Pinatubo", INK, "end", (-46, 2))
    return panel


def scatter_panel(growth, index, result):
    """Every month at the best lag, with the least-squares line."""
    at = dict(index)
    pairs = [(at[month - result["lag_months"]], value) for month, value in growth if month - result["lag_months"] in at]
    x_range, y_range = limits([x for x, _ in pairs], 1), limits([y for _, y in pairs], 1)
    panel = Panel((584, 622, 380, 180), x_range, y_range)
    panel.title(f"All {len(pairs)} months, growth {result['lag_months']} months later")
    marks = [(value, signed(value)) for value in ticks(*x_range, 1)]
    panel.axes(marks, ticks(*y_range, 1), "temperature index (\u00b0C)", "ppm per year")
    panel.dots(pairs, CO2, 2.2, 0.35)
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    ends = min(x for x, _ in pairs), max(x for x, _ in pairs)
    panel.curve([(x, mean_y + slope * (x - mean_x)) for x in ends], WARM, 2.4)
    panel.note(x_range[1], y_range[0], f"{slope:.2f} ppm per year for each \u00b0C", WARM, "end", (0, -10))
    return panel


def main():
    """Read the series, draw the panels, write the picture."""
    if len(sys.argv) != 6:
        sys.exit("usage: figure.py GROWTH INDEX CORRELATION RESULT OUT")
    growth_path, index_path, correlation_path, result_path, out = (Path(argument) for argument in sys.argv[1:])
    growth, index = read_series(growth_path, "growth_anomaly"), read_series(index_path, "index_degc")
    result = json.loads(result_path.read_text(encoding="ascii"))
    with correlation_path.open(encoding="ascii", newline="") as stream:
        table = list(csv.DictReader(stream))
    panels = [
        *time_panels(growth, index, result["lag_months"]),
        lag_panel(table, result),
        scatter_panel(growth, index, result),
    ]
    subtitle = (
        f"Carbon dioxide rises faster about {result['lag_months']} months after the eastern tropical Pacific warms: "
        f"r = {result['r']:.2f} (95 % interval {result['r_low']:.2f} to {result['r_high']:.2f})."
    )
    source = (
        "Data: weekly CO\u2082, Keeling & Whorf 2004 (Scripps Institution of Oceanography, CDIAC); "
        "monthly ERSST.V3B temperature, NOAA. Both public domain."
    )
    shaded = (
        f"Shaded above: {EL_NINO_DEGC} \u00b0C or warmer for at least {EL_NINO_MONTHS} months. "
        f"Shaded below: the same spans, {result['lag_months']} months later."
    )
    page = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif" fill="{INK}">',
        f"<title>{escape(subtitle)}</title>",
        rectangle(0, 0, WIDTH, HEIGHT, "#ffffff"),
        label(
            36,
            44,
            "El Ni\u00f1o leaves its mark in the growth of atmospheric CO\u2082",
            size=24,
            weight=700,
            colour=CO2,
        ),
        label(36, 72, subtitle, size=15),
        *(element for panel in panels for element in panel.elements),
        label(36, HEIGHT - 30, source, size=11),
        label(36, HEIGHT - 12, shaded, size=11),
        "</svg>",
    ]
    out.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
