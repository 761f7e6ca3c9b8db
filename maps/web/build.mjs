// Bundles the browser modules into ../static: one script and one style sheet per page kind,
// the API documentation's assets, and the licences of everything that is shipped.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(root, "..", "static");
const modules = join(root, "node_modules");

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "swagger"), { recursive: true });

// Leaflet's attribution prefix links to its site; pages refer to no other machine.
const noOutsideLink = {
  name: "no-outside-link",
  transform(code, id) {
    if (!id.includes("/node_modules/leaflet/")) return null;
    return { code: code.replace('href="https://leafletjs.com" ', ""), map: null };
  },
};

for (const name of ["map", "start"]) {
  await build({
    configFile: false,
    root,
    publicDir: false,
    logLevel: "warn",
    plugins: [noOutsideLink],
    build: {
      outDir: out,
      emptyOutDir: false,
      target: "es2020",
      cssTarget: "chrome90",
      lib: {
        entry: join(root, "src", name, "main.ts"),
        formats: ["iife"],
        name: `gridsvc_${name}`,
        fileName: () => `${name}.js`,
        cssFileName: name,
      },
    },
  });
}

for (const file of ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"]) {
  copyFileSync(join(modules, "swagger-ui-dist", file), join(out, "swagger", file));
}
// The page that FastAPI would write inline; a file of its own needs no inline script.
copyFileSync(join(root, "src", "docs.js"), join(out, "swagger", "docs.js"));

const shipped = [
  ["leaflet", ["LICENSE"]],
  ["swagger-ui-dist", ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"]],
];
const parts = ["Third-party software in this folder, with its licences.\n"];
for (const [name, files] of shipped) {
  const about = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  parts.push(`${"=".repeat(78)}\n${name} ${about.version} (${about.license})\n${"=".repeat(78)}`);
  for (const file of files) parts.push(readFileSync(join(modules, name, file), "utf8").trim());
}
writeFileSync(join(out, "LICENSES.txt"), parts.join("\n\n") + "\n");
