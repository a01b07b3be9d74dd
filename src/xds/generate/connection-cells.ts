/*
 * Conditions on connections, in order, told in the way that Envoy decides.
 *
 * Rules are tried in order, and the first that holds wins. Envoy knows no order:
 * it looks at destination, server name and source one after the other, keeps at
 * each step the chains that say the narrowest thing, and never goes back; two
 * chains that say the same make it refuse the listener. So connections are
 * divided into cells, one for each combination of narrowest conditions, and each
 * cell is given the first rule that holds for all of it:
 *
 *   rules                        cells
 *   1  source 10.1/16            name a, source 10.1/16 → 1
 *   2  name a                    name a                 → 2
 *   3  anything                  source 10.1/16         → 1
 *                                anything               → 3
 *
 * Cells that say nothing new are left out.
 */
import { parseSubnet, type Subnet, subnetContains } from "./subnet.ts";

/** What a connection may be asked for; an empty list asks for nothing, else one of its entries must hold. */
export interface ConnectionMatch {
	readonly destinations: readonly Subnet[];
	/** `db.example.com`, `*.example.com`. */
	readonly serverNames: readonly string[];
	readonly sources: readonly Subnet[];
}

/** A choice with its condition. */
export interface Conditional<T> {
	readonly match: ConnectionMatch;
	readonly choice: T;
	/** Equal for choices that do the same, so that they need not be told apart. */
	readonly sameness: number;
}

/**
 * Divides connections among choices of which the first that matches is taken.
 *
 * Guarantees: by Envoy's way of choosing, each connection within `base` is in
 *   the cell of the choice that is first in order; no two cells overlap.
 * Expects: the last choice matches everything; `base` has at most one
 *   destination and one server name, and no source.
 */
export function divideConnections<T>(
	choices: readonly Conditional<T>[],
	base: ConnectionMatch,
): readonly Conditional<T>[] {
	return divide(
		choices.map((conditional, index) => ({ ...conditional, index })),
		[
			dimension("destinations", subnets, base.destinations[0]),
			dimension("serverNames", names, base.serverNames[0]),
			dimension("sources", subnets, base.sources[0]),
		],
	).map((cell) => ({ ...cell, match: { ...anything, ...cell.match } }));
}

/** The condition that every connection meets. */
export const anything: ConnectionMatch = {
	destinations: [],
	serverNames: [],
	sources: [],
};

/** Reads conditions as rules write them. */
export function connectionMatch(texts: {
	readonly destinationSubnets: readonly string[];
	readonly sourceSubnets: readonly string[];
	readonly sni: readonly string[];
}): ConnectionMatch {
	return {
		destinations: texts.destinationSubnets.map(parseSubnet),
		serverNames: texts.sni.map((name) => name.toLowerCase()),
		sources: texts.sourceSubnets.map(parseSubnet),
	};
}

/** How values of one kind relate. */
interface Ordering<V> {
	/** Equal for equal values. */
	key(value: V): string;
	contains(outer: V, inner: V): boolean;
	/** Smaller for values that may contain those with a larger one. */
	narrowness(value: V): number;
}

const subnets: Ordering<Subnet> = {
	key: ({ prefix, isIPv6 }) => `${isIPv6} ${prefix}`,
	contains: subnetContains,
	narrowness: ({ prefix }) => prefix.length,
};

const names: Ordering<string> = {
	key: (name) => name,
	contains: (outer, inner) =>
		outer === inner ||
		(outer.startsWith("*.") && inner.endsWith(outer.slice(1))),
	// Without its asterisk a wildcard is shorter than every name below it.
	narrowness: (name) => name.replace("*", "").length,
};

type Numbered<T> = Conditional<T> & { readonly index: number };

interface Cell<T> {
	readonly match: Partial<ConnectionMatch>;
	readonly choice: T;
	readonly sameness: number;
}

/** One of the things that Envoy looks at, hiding what its values are. */
type Dimension = <T>(
	choices: readonly Numbered<T>[],
	next: (choices: readonly Numbered<T>[]) => readonly Cell<T>[],
) => readonly Cell<T>[];

function divide<T>(
	choices: readonly Numbered<T>[],
	[first, ...others]: readonly Dimension[],
): readonly Cell<T>[] {
	if (first !== undefined) {
		return first(choices, (left) => divide(left, others));
	}
	const [taken] = choices;
	if (taken === undefined) return [];
	return [{ match: {}, choice: taken.choice, sameness: taken.sameness }];
}

function dimension<F extends keyof ConnectionMatch>(
	field: F,
	order: Ordering<ConnectionMatch[F][number]>,
	base: ConnectionMatch[F][number] | undefined,
): Dimension {
	type V = ConnectionMatch[F][number];
	return (choices, next) => {
		type Cells = ReturnType<typeof next>;
		const conditions = choices.map((conditional) => ({
			conditional,
			asked: conditional.match[field] as readonly V[],
		}));
		const known = new Map<string, { cells: Cells; print: string }>();
		/** What becomes of connections that are in `value`, and in nothing narrower that anybody asks for. */
		const within = (value: V | undefined) => {
			const left = conditions
				.filter(
					({ asked }) =>
						asked.length === 0 ||
						(value !== undefined &&
							asked.some((outer) => order.contains(outer, value))),
				)
				.map(({ conditional }) => conditional);
			const key = left.map(({ index }) => index).join();
			let found = known.get(key);
			if (found === undefined) {
				const cells = next(left);
				found = { cells, print: printCells(cells) };
				known.set(key, found);
			}
			return found;
		};
		const values = new Map<string, V>();
		for (const { asked } of conditions) {
			for (const value of asked) {
				const key = order.key(value);
				if (values.has(key)) continue;
				if (base !== undefined && !isInside(order, base, value)) continue;
				values.set(key, value);
			}
		}
		const rest = within(base);
		const kept: { value: V; print: string; cells: Cells }[] = [];
		for (const value of [...values.values()].sort(
			(a, b) => order.narrowness(a) - order.narrowness(b),
		)) {
			const found = within(value);
			const around =
				kept.findLast((wider) => order.contains(wider.value, value)) ?? rest;
			if (found.print !== around.print) kept.push({ value, ...found });
		}
		return [
			...[...Map.groupBy(kept, ({ print }) => print).values()].flatMap(
				(alike) =>
					inEach(
						alike[0]?.cells ?? [],
						field,
						alike.map(({ value }) => value),
					),
			),
			...inEach(rest.cells, field, base === undefined ? [] : [base]),
		];
	};
}

function isInside<V>(order: Ordering<V>, outer: V, inner: V): boolean {
	return order.contains(outer, inner) && order.key(outer) !== order.key(inner);
}

function inEach<T>(
	cells: readonly Cell<T>[],
	field: keyof ConnectionMatch,
	values: readonly unknown[],
): readonly Cell<T>[] {
	return cells.map((cell) => ({
		...cell,
		match: { ...cell.match, [field]: values },
	}));
}

function printCells<T>(cells: readonly Cell<T>[]): string {
	return JSON.stringify(cells.map(({ match, sameness }) => [match, sameness]));
}
