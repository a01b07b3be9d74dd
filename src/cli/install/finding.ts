import { KubeError } from "../../kube/kube-error.ts";

/** What one look at an installation says. */
export interface Finding {
	/** What was looked at, in a few words. */
	readonly about: string;
	/** `warning` is what works and is not as it should be; `unknown` what may not be looked at. */
	readonly verdict: "ok" | "warning" | "problem" | "unknown";
	/** What is so, and what to do where that is not good. */
	readonly message: string;
}

/** A finding of a look whose subject stands elsewhere. */
export type Said = Omit<Finding, "about">;

/**
 * What a look says; a look that is not allowed is `unknown`.
 *
 * Fails when: the API server cannot be reached.
 */
export async function findings(
	about: string,
	look: () => Promise<readonly Said[]>,
): Promise<readonly Finding[]> {
	try {
		return (await look()).map((one) => ({ about, ...one }));
	} catch (error) {
		if (
			error instanceof KubeError &&
			(error.code === "KUBE_FORBIDDEN" || error.code === "KUBE_FAILED")
		)
			return [{ about, verdict: "unknown", message: error.message }];
		throw error;
	}
}

/** The first few of a list, and how many more there are. */
export function fewOf(names: readonly string[]): string {
	const shown = names.slice(0, 5).join(", ");
	const more = names.length - 5;
	return more > 0 ? `${shown} and ${more} more` : shown;
}
