import type { ApiObject } from "../api/objects.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { contentOf } from "./content-of.ts";
import type { KeptAcceptance, KeptRefusal, LastGood } from "./last-good.ts";

/**
 * What is to be kept of an object by whoever takes over from another, who has
 * kept what it knew; undefined when that is enough as it is.
 *
 * Each of the two may have heard of proxies what the other has not, so what both
 * know counts. Where they contradict each other, who takes over is right: it is
 * the one that has in force what it says.
 */
export function mergeLastGood(
	kept: LastGood,
	taken: LastGood,
): LastGood | undefined {
	if (taken.valid === undefined || isOlder(taken.valid, kept.valid))
		return undefined;
	const valid = isSame(kept.valid, taken.valid) ? kept.valid : taken.valid;
	// Of what proxies have accepted it no longer matters what they refused before.
	const isGood =
		isSame(taken.valid, taken.proven) && taken.refusals.length === 0;
	const refusals = isGood ? [] : union(kept.refusals, taken.refusals);
	const accepted = union(kept.accepted, taken.accepted).filter(({ content }) =>
		refusals.some((one) => one.content === content),
	);
	const merged: LastGood = {
		ref: taken.ref,
		valid,
		proven: newestGood(kept.proven, taken.proven, refusals),
		refusals,
		...(accepted.length > 0 && { accepted }),
	};
	return saysTheSame(kept, merged) ? undefined : merged;
}

function isSame(
	one: ApiObject | undefined,
	other: ApiObject | undefined,
): boolean {
	return (
		one !== undefined &&
		other !== undefined &&
		contentOf(one) === contentOf(other)
	);
}

/** Whether there is a form of another content that came later. */
function isOlder(form: ApiObject, other: ApiObject | undefined): boolean {
	return (
		other !== undefined &&
		!isSame(form, other) &&
		other.metadata.generation > form.metadata.generation
	);
}

/** Each pair of form and software once, in the words of the later list. */
function union<T extends KeptAcceptance | KeptRefusal>(
	earlier: readonly T[] = [],
	later: readonly T[] = [],
): readonly T[] {
	const merged = new Map(
		[...earlier, ...later].map((one) => [
			JSON.stringify([one.content, one.software]),
			one,
		]),
	);
	return [...merged.values()];
}

/** Of two accepted forms the newer that nobody refuses. */
function newestGood(
	kept: ApiObject | undefined,
	taken: ApiObject | undefined,
	refusals: readonly KeptRefusal[],
): ApiObject | undefined {
	if (isSame(kept, taken)) return kept;
	const forms = [taken, kept].flatMap((form) => form ?? []);
	const good = forms.filter((form) =>
		refusals.every(({ content }) => content !== contentOf(form)),
	);
	return (good.length > 0 ? good : forms).reduce<ApiObject | undefined>(
		(newest, form) =>
			newest !== undefined &&
			newest.metadata.generation >= form.metadata.generation
				? newest
				: form,
		undefined,
	);
}

/** Whether a restart that reads one would do as after the other. */
function saysTheSame(one: LastGood, other: LastGood): boolean {
	const printed = ({ valid, proven, refusals, accepted = [] }: LastGood) => ({
		valid: valid && contentOf(valid),
		proven: proven && contentOf(proven),
		refusals,
		accepted,
	});
	return deepEqual(printed(one), printed(other));
}
