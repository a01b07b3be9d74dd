// What proxies hold is nearly the same for all of them: the same thousands of
// resources, and a few of their own. A map for each would be most of what the
// server keeps for a proxy. So each has what it shares with others, kept once,
// and its differences:
//
//   base (shared, never changed) + own (what differs; undefined where nothing is)
//
// When a map has many differences, it looks for a base that fits it better, and
// becomes one itself when there is none. Maps that change alike meet again in
// the base that the first of them has become. What thousands of maps get all at
// once, they get in one map that never changes, whose base is looked for once.

import { memoByInput, memoByInputs } from "../../lib/memo.ts";

/** Differences above which a map looks for another base. */
const maxOwn = 64;

/** Differences with which a base still fits. */
const maxDifferences = 32;

/** Bases that are looked at, the newest first; for each base, so many that were made from it. */
const maxBases = 16;
const maxSuccessors = 4;

type Changes<V> = ReadonlyMap<string, V | undefined>;

interface Base<V> {
	readonly entries: ReadonlyMap<string, V>;
	/** How it differs from the base before it, which many maps still have when it is made. */
	readonly since:
		| { readonly base: WeakRef<Base<V>>; readonly changes: Changes<V> }
		| undefined;
}

/** A map as a base with changes. */
interface Based<V> {
	readonly base: Base<V>;
	readonly own: Changes<V>;
}

/** Names of the second map that the first does not have. Neither may change any more. */
export const missingNames = memoByInputs(
	(
		all: ReadonlyMap<string, unknown>,
		some: ReadonlyMap<string, unknown>,
	): readonly string[] => [...some.keys()].filter((name) => !all.has(name)),
);

/** The bases among which maps of one kind find theirs. They live as long as some map has them. */
export class SharedBases<V> {
	readonly empty: Base<V> = { entries: new Map(), since: undefined };
	#bases: WeakRef<Base<V>>[] = [];
	/** What bases have become, the newest first: what changes alike is found at once. */
	readonly #successors = new WeakMap<Base<V>, WeakRef<Base<V>>[]>();
	/** Makes a map that never changes a base, which nobody else finds. */
	readonly exactly = memoByInput(
		(entries: ReadonlyMap<string, V>): Base<V> => ({
			entries,
			since: undefined,
		}),
	);

	/** The base that fits a map which never changes: that of others, if there is one. */
	readonly of = memoByInput((entries: ReadonlyMap<string, V>): Based<V> => {
		const found =
			entries.size > maxOwn
				? this.find(this.empty, entries, entries.size)
				: undefined;
		if (found !== undefined) return found;
		const base = this.exactly(entries);
		if (entries.size > maxOwn) this.#keep(base);
		return { base, own: this.empty.entries };
	});

	/** A base that differs little from a base with changes, and how the two differ. */
	find(
		base: Base<V>,
		own: Changes<V>,
		size: number,
	):
		| { readonly base: Base<V>; readonly own: Map<string, V | undefined> }
		| undefined {
		for (const kept of [
			...(this.#successors.get(base) ?? []),
			...this.#bases,
		]) {
			const other = kept.deref();
			if (other === undefined || other === base) continue;
			const differences = differencesOf(base, own, size, other);
			if (differences !== undefined) return { base: other, own: differences };
		}
		return undefined;
	}

	/** Makes a base with changes a base. */
	add(base: Base<V>, own: Changes<V>): Base<V> {
		const entries = new Map(base.entries);
		for (const [name, value] of own) {
			if (value === undefined) entries.delete(name);
			else entries.set(name, value);
		}
		const since = { base: new WeakRef(base), changes: own };
		const made = this.#keep({ entries, since });
		this.#successors.set(
			base,
			[new WeakRef(made), ...(this.#successors.get(base) ?? [])].slice(
				0,
				maxSuccessors,
			),
		);
		return made;
	}

	#keep(made: Base<V>): Base<V> {
		this.#bases = [
			new WeakRef(made),
			...this.#bases.filter((kept) => kept.deref() !== undefined),
		].slice(0, maxBases);
		return made;
	}
}

/** A map by name that keeps for itself only what others do not have. Values are compared by identity. */
export class SharedMap<V extends object | string | true> {
	readonly #bases: SharedBases<V>;
	#base: Base<V>;
	#own = new Map<string, V | undefined>();
	#size = 0;
	/** Number of names of the base of which there is nothing. */
	#gone = 0;

	/** @param bases what it may have in common with other maps */
	constructor(bases: SharedBases<V>) {
		this.#bases = bases;
		this.#base = bases.empty;
	}

	/** Number of entries. */
	get size(): number {
		return this.#size;
	}

	/** Number of entries that it keeps for itself. */
	get ownSize(): number {
		return this.#own.size;
	}

	/** The value of a name, or undefined. */
	get(name: string): V | undefined {
		const own = this.#own;
		if (own.size > 0) {
			const value = own.get(name);
			if (value !== undefined) return value;
			if (this.#gone > 0 && own.has(name)) return undefined;
		}
		return this.#base.entries.get(name);
	}

	/** Whether there is an entry of this name. */
	has(name: string): boolean {
		return this.get(name) !== undefined;
	}

	/** Sets the value of a name; answers the one before. */
	set(name: string, value: V): V | undefined {
		const before = this.get(name);
		if (before === value) return before;
		if (before === undefined) this.#size += 1;
		if (this.#base.entries.size === 0) {
			this.#own.set(name, value);
			return before;
		}
		const inBase = this.#base.entries.get(name);
		if (inBase !== undefined && before === undefined) this.#gone -= 1;
		if (inBase === value) this.#own.delete(name);
		else this.#own.set(name, value);
		return before;
	}

	/** Becomes a map that never changes, on the base that fits it best. Expects: it is empty itself. */
	fill(entries: ReadonlyMap<string, V>): void {
		this.#become(this.#bases.of(entries), entries.size);
	}

	/** Becomes a map that never changes, which itself is the base. Expects: it is empty itself. */
	adopt(entries: ReadonlyMap<string, V>): void {
		const base = this.#bases.exactly(entries);
		this.#become({ base, own: this.#bases.empty.entries }, entries.size);
	}

	#become({ base, own }: Based<V>, size: number): void {
		if (this.#size > 0) throw new Error("Only an empty map can be filled.");
		this.#base = base;
		this.#own = new Map(own);
		this.#size = size;
		this.#countGone();
	}

	/** Deletes everything. */
	clear(): void {
		this.#base = this.#bases.empty;
		this.#own.clear();
		this.#size = 0;
		this.#gone = 0;
	}

	/** What it shares with others, and what it keeps for itself; undefined where that is nothing. */
	get parts(): {
		readonly base: ReadonlyMap<string, V>;
		readonly own: Changes<V>;
	} {
		return { base: this.#base.entries, own: this.#own };
	}

	/** Whether it has every name of a map that never changes. */
	includesAll(names: ReadonlyMap<string, unknown>): boolean {
		for (const [name, value] of this.#own) {
			if (value === undefined && names.has(name)) return false;
		}
		return missingNames(this.#base.entries, names).every((name) =>
			this.#own.has(name),
		);
	}

	/** Names of a map that never changes of which it has something else, or nothing. */
	lacking(entries: ReadonlyMap<string, V>): readonly string[] {
		const { base, own } = this.#bases.of(entries);
		const candidates =
			base === this.#base
				? new Set([...this.#own.keys(), ...own.keys()])
				: entries.keys();
		const lacking: string[] = [];
		for (const name of candidates) {
			const value = entries.get(name);
			if (value !== undefined && this.get(name) !== value) lacking.push(name);
		}
		return lacking;
	}

	/** Deletes the entry of a name; answers its value. */
	delete(name: string): V | undefined {
		const before = this.get(name);
		if (before === undefined) return undefined;
		this.#size -= 1;
		if (this.#base.entries.has(name)) {
			this.#own.set(name, undefined);
			this.#gone += 1;
		} else this.#own.delete(name);
		return before;
	}

	/** Shares with others what it can. Whoever has changed much calls this at the end. */
	share(): void {
		if (this.#own.size <= maxOwn) return;
		const found = this.#bases.find(this.#base, this.#own, this.#size);
		this.#base = found?.base ?? this.#bases.add(this.#base, this.#own);
		this.#own = found?.own ?? new Map();
		this.#countGone();
	}

	#countGone(): void {
		this.#gone = 0;
		for (const value of this.#own.values())
			if (value === undefined) this.#gone += 1;
	}

	/** The names, in no order. */
	*keys(): IterableIterator<string> {
		for (const [name] of this.entries()) yield name;
	}

	/** The values, in no order. */
	*values(): IterableIterator<V> {
		for (const [, value] of this.entries()) yield value;
	}

	/** Names and values, in no order. What is changed meanwhile may be among them or not. */
	[Symbol.iterator](): IterableIterator<readonly [string, V]> {
		return this.entries();
	}

	/** Names and values, in no order. What is changed meanwhile may be among them or not. */
	*entries(): IterableIterator<readonly [string, V]> {
		const own = this.#own;
		for (const entry of this.#base.entries) {
			if (own.size === 0 || !own.has(entry[0])) yield entry;
		}
		for (const [name, value] of own) {
			if (value !== undefined) yield [name, value];
		}
	}
}

/** How `other` must be changed to be a base with changes, of so many entries; undefined when that is much. */
function differencesOf<V>(
	base: Base<V>,
	own: Changes<V>,
	size: number,
	other: Base<V>,
): Map<string, V | undefined> | undefined {
	const differences = new Map<string, V | undefined>();
	if (other.since?.base.deref() === base) {
		const { changes } = other.since;
		for (const [name, value] of own) {
			if (value === changes.get(name) && changes.has(name)) continue;
			differences.set(name, value);
			if (differences.size > maxDifferences) return undefined;
		}
		for (const name of changes.keys()) {
			if (own.has(name)) continue;
			differences.set(name, base.entries.get(name));
			if (differences.size > maxDifferences) return undefined;
		}
		return differences;
	}
	if (Math.abs(other.entries.size - size) > maxDifferences) return undefined;
	// Both are usually in the same order, so a walk along both finds most of what is equal.
	const others = other.entries.entries();
	let there = others.next().value;
	let common = 0;
	const compare = (name: string, value: V): boolean => {
		if (there?.[0] === name) {
			common += 1;
			if (there[1] !== value) differences.set(name, value);
			there = others.next().value;
		} else {
			const found = other.entries.get(name);
			if (found !== undefined) common += 1;
			if (found !== value) differences.set(name, value);
		}
		return differences.size <= maxDifferences;
	};
	for (const [name, value] of base.entries) {
		if (own.size > 0 && own.has(name)) continue;
		if (!compare(name, value)) return undefined;
	}
	for (const [name, value] of own) {
		if (value !== undefined && !compare(name, value)) return undefined;
	}
	if (common === other.entries.size) return differences;
	for (const name of other.entries.keys()) {
		const isHere = own.has(name)
			? own.get(name) !== undefined
			: base.entries.has(name);
		if (isHere) continue;
		differences.set(name, undefined);
		if (differences.size > maxDifferences) return undefined;
	}
	return differences;
}
