// The demo shop. It imports `headwater` as any application does: from the built package, by its name.
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import CopyPlugin from 'copy-webpack-plugin'
import HtmlPlugin from 'html-webpack-plugin'

const www = resolve(dirname(fileURLToPath(import.meta.url)), 'www')

export default {
  mode: 'production',
  context: www,
  entry: './src/main.ts',
  output: { path: resolve(www, 'dist'), filename: '[name].[contenthash:8].js', clean: true },
  resolve: { extensions: ['.ts', '.js'] },
  module: {
    rules: [
      { test: /\.ts$/, loader: 'esbuild-loader', options: { target: 'es2022' } },
      // The package has no side effects, and its demo lies inside it: but a style sheet is one.
      { test: /\.css$/, type: 'css', sideEffects: true },
    ],
  },
  experiments: { css: true },
  plugins: [
    new HtmlPlugin({ template: './index.html', scriptLoading: 'module' }),
    new CopyPlugin({ patterns: [{ from: 'public', noErrorOnMissing: true }] }),
  ],
  performance: { hints: false },
}
