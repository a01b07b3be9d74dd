import type { OciImage } from "./oci-image.ts";
import type { Recipe } from "./recipe.ts";

/**
 * A Dockerfile that makes the same image from the layers beside it: `docker build FOLDER`.
 *
 * Docker unpacks what is added, whatever its name, and gives its own times and
 * history, so the digest is another; the files, the user and the rest are the same.
 */
export function dockerfileOf(recipe: Recipe, image: OciImage): string {
	const layers = recipe.layers.flatMap(({ name }, index) => {
		const digest = image.layers[index]?.descriptor.digest ?? "";
		return [`# ${name}`, `ADD blobs/${digest.replace(":", "/")} /`];
	});
	const settings = [
		...Object.entries(recipe.environment).map(
			([name, value]) => `ENV ${name}=${JSON.stringify(value)}`,
		),
		...Object.entries(image.labels).map(
			([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`,
		),
		"WORKDIR /",
		`USER ${recipe.user.id}:${recipe.user.id}`,
		`ENTRYPOINT ${JSON.stringify(recipe.entrypoint)}`,
	];
	return `${[
		`# ${recipe.title}: the image that npm run image made, for docker build.`,
		"FROM scratch",
		...layers,
		...settings,
	].join("\n")}\n`;
}
