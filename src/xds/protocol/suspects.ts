/** Envoy joins the failures of a whole response; more than this is not searched. */
const maxSearched = 64 * 1024;

/**
 * How to go on after a proxy refused a response with several resources that were
 * new to it: groups, each to be sent in a response of its own, in this order. A
 * resource that is refused alone is at fault.
 *
 * Where the proxy's words name some of them, those are sent one by one after all
 * others; words that name the wrong ones cost a response and mislead nobody.
 * Otherwise the groups are halves, so one bad resource among n is found within
 * `2 log2 n` responses. See xDS granularity, "NACK granularity".
 *
 * @param names what was new in the response, two at least
 */
export function suspectGroups(
	names: readonly string[],
	message: string,
): readonly (readonly string[])[] {
	const searched = message.slice(0, maxSearched);
	const named = names.filter((name) => isNamed(name, searched));
	if (named.length > 0 && named.length < names.length) {
		const isSuspect = new Set(named);
		return [
			names.filter((name) => !isSuspect.has(name)),
			...named.map((name) => [name]),
		];
	}
	const half = Math.ceil(names.length / 2);
	return [names.slice(0, half), names.slice(half)];
}

/**
 * Whether an error names a resource: as `Error adding/updating cluster(s) a: why, b: why`
 * does, or as a printed message that breaks a constraint does.
 */
function isNamed(name: string, message: string): boolean {
	if (message.includes(`name: "${name}"`)) return true;
	for (
		let at = message.indexOf(`${name}:`);
		at !== -1;
		at = message.indexOf(`${name}:`, at + 1)
	) {
		if (at === 0 || /\s/.test(message.charAt(at - 1))) return true;
	}
	return false;
}
