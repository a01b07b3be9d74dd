/*
 * Who is to blame for a resource that a proxy refused, and who is held back.
 *
 *   refused resource ─ objects behind it ─┬─ one nobody has proven ──▶ it is to blame
 *                                         ├─ several ──▶ let in half of them, then the others
 *                                         └─ none ─────▶ the one that changed last
 */
import type { ObjectRef } from "../api/object-ref.ts";

/** One object in the form that it has in the mesh. */
export interface Form {
	readonly ref: ObjectRef;
	/** Tells the forms of an object apart. */
	readonly content: string;
}

/** What follows from a refused resource. */
export type Blame<F extends Form> =
	/** Nothing behind it can be held back. */
	| { readonly op: "nobody" }
	| { readonly op: "one"; readonly form: F }
	/** One of these, but it must be found out which: the first group stays in, the second waits for its turn. */
	| {
			readonly op: "several";
			readonly first: readonly F[];
			readonly second: readonly F[];
	  };

/**
 * Decides who is to blame, never two at once.
 *
 * @param forms the objects behind the resource that can be held back
 * @param isProven whether a proxy like this one has accepted the form in a resource of this type
 * @param changedMs when the form came into force; the latest is blamed when all are proven
 */
export function decideBlame<F extends Form>(
	forms: readonly F[],
	isProven: (form: F) => boolean,
	changedMs: (form: F) => number,
): Blame<F> {
	const suspects = forms.filter((form) => !isProven(form));
	const [only] =
		suspects.length > 0
			? suspects
			: [...forms].sort((a, b) => changedMs(b) - changedMs(a));
	if (only === undefined) return { op: "nobody" };
	if (suspects.length < 2) return { op: "one", form: only };
	const half = Math.ceil(suspects.length / 2);
	return {
		op: "several",
		first: suspects.slice(0, half),
		second: suspects.slice(half),
	};
}

/**
 * Whether a refusal speaks of the proxy's surroundings, such as a port that
 * another program has: no object is to blame for that.
 */
export function isOwnTrouble(message: string): boolean {
	return /cannot bind|address already in use|cannot assign requested address/i.test(
		message,
	);
}

/** What is known about a form that proxies refuse, or that is being tried on others. */
export interface DoubtedForm {
	/** Software whose proxies are not to have it. */
	readonly doubtedBy: ReadonlySet<string>;
	/** Software of proxies that have accepted it. */
	readonly acceptedBy: ReadonlySet<string>;
	/** Software that proxies have now, or may come back with. */
	readonly present: ReadonlySet<string>;
}

/** Whether the form is held back from everybody: there is no software that accepts it or has not said yet. */
export function isHeldBack({
	doubtedBy,
	acceptedBy,
	present,
}: DoubtedForm): boolean {
	if (doubtedBy.size === 0) return false;
	for (const software of [...present, ...acceptedBy])
		if (!doubtedBy.has(software)) return false;
	return true;
}

/** Proxies that are asked whether they refuse what one alone has refused. */
const maxAsked = 3;

/**
 * The proxy that is to be asked about what another of its software refuses, or
 * undefined: only one did, and that one may be ill.
 *
 * @param peers proxies of the software that have had the time to settle
 */
export function proxyToAsk(
	{
		by,
		isConfirmed,
		asked,
	}: {
		/** Proxies that have refused. */
		readonly by: ReadonlySet<string>;
		readonly isConfirmed: boolean;
		readonly asked: ReadonlySet<string>;
	},
	peers: Iterable<string>,
): string | undefined {
	if (isConfirmed || asked.size >= maxAsked) return undefined;
	for (const peer of peers) if (!by.has(peer) && !asked.has(peer)) return peer;
	return undefined;
}
