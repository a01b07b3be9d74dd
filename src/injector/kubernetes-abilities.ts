import type { KubernetesAbilities } from "./context.ts";

/** What a version of Kubernetes can do, where nobody has turned it off. */
export function kubernetesAbilities(version: {
	readonly major: number;
	readonly minor: number;
}): KubernetesAbilities {
	const isAtLeast = (minor: number): boolean =>
		version.major > 1 || (version.major === 1 && version.minor >= minor);
	return { nativeSidecars: isAtLeast(29), sleepHooks: isAtLeast(30) };
}
