/** Objects that are withheld from proxies of some software: what tells their forms apart, by object. */
export type WithheldForms = ReadonlyMap<string, string>;

/** Software whose proxies get the same. */
export interface EditionPlan {
	/** Never empty; in the order in which it was given. */
	readonly software: readonly string[];
	/** Objects that are withheld from some of it. */
	readonly keys: ReadonlySet<string>;
}

/**
 * Which software shares an edition of the mesh: that from which the same is
 * withheld, in the same forms. Beyond `max` editions, the oldest are one, from
 * which everything is withheld that one of them must not have.
 *
 * @param withheld by software, the oldest first
 */
export function decideEditions(
	withheld: ReadonlyMap<string, WithheldForms>,
	max: number,
): readonly EditionPlan[] {
	const groups = new Map<string, { software: string[]; keys: Set<string> }>();
	for (const [software, forms] of withheld) {
		if (forms.size === 0) continue;
		const sorted = [...forms].sort(([a], [b]) => (a < b ? -1 : 1));
		const same = JSON.stringify(sorted);
		const group = groups.get(same);
		if (group) group.software.push(software);
		else
			groups.set(same, { software: [software], keys: new Set(forms.keys()) });
	}
	const plans = [...groups.values()];
	if (plans.length <= max) return plans;
	const oldest = plans.slice(0, plans.length - max + 1);
	return [
		{
			software: oldest.flatMap(({ software }) => software),
			keys: new Set(oldest.flatMap(({ keys }) => [...keys])),
		},
		...plans.slice(oldest.length),
	];
}
